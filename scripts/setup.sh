#!/usr/bin/env bash
# Brings what Striate needs on Debian or Ubuntu beyond Rust: libraries that the window loads when it starts, a software
# Vulkan and GL driver, a virtual display for the tests, and a fast linker. Says what it does; does nothing when all is there.
#   scripts/setup.sh        what the window needs
#   scripts/setup.sh test   and what the tests need
set -euo pipefail

packages=(build-essential pkg-config libvulkan1 mesa-vulkan-drivers libegl1 libgles2 libgl1-mesa-dri libxkbcommon0
    libxkbcommon-x11-0 libx11-6 libx11-xcb1 libxcursor1 libxi6 libxrandr2 libwayland-client0 libdbus-1-3)
if [ "${1:-}" = test ]; then
    packages+=(xvfb xauth xdotool openbox)
fi

if ! command -v cargo >/dev/null 2>&1; then
    echo "setup: Rust is missing. Install it from https://rustup.rs and run this again." >&2
    exit 1
fi
if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "setup: this is not Debian or Ubuntu; please see that these are installed: ${packages[*]}" >&2
    exit 0
fi
missing=()
for package in "${packages[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi
echo "setup: installing ${missing[*]}"
sudo=
[ "$(id -u)" -eq 0 ] || sudo=sudo
$sudo apt-get update -q
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -q --no-install-recommends "${missing[@]}"
