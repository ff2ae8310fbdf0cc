//! What failures look like in words and exit codes: the few that call for another answer than "it failed".
//!
//! Knows no burn: worker, supervisor and window read the same table.

/// Exit code of a worker whose device ran out of memory in a way that leaves the device unusable.
pub const EXIT_OUT_OF_MEMORY: u8 = 4;
/// Exit code of a worker whose device is gone: the driver was reset, or the card was taken away.
pub const EXIT_DEVICE_LOST: u8 = 5;

/// Whether a message says that memory ran out.
///
/// # Source
/// Rust's `handle_alloc_error`; wgpu 30 (`Error::OutOfMemory`, `DeviceError::OutOfMemory`); cubecl 0.11 (its pool's
/// `BufferTooBig`); Vulkan's result codes.
pub fn says_out_of_memory(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    (text.contains("memory allocation of") && text.contains("failed"))
        || [
            "out of memory",
            "outofmemory",
            "not enough memory left",
            "can't allocate buffer of size",
            "out_of_device_memory",
            "out_of_host_memory",
        ]
        .iter()
        .any(|words| text.contains(words))
}

/// Whether a message says that the device is gone.
///
/// # Source
/// wgpu 30 (`DeviceError::Lost`: "Parent device is lost"); Vulkan's result code.
pub fn says_device_lost(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["device is lost", "device lost", "devicelost", "error_device_lost", "device was lost"]
        .iter()
        .any(|words| text.contains(words))
}

/// The exit code that a failure of the device calls for: it cannot be used any more in this process.
pub fn fatal_code(text: &str) -> Option<u8> {
    if says_device_lost(text) {
        Some(EXIT_DEVICE_LOST)
    } else if says_out_of_memory(text) {
        Some(EXIT_OUT_OF_MEMORY)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_drivers_and_allocators_print_is_recognised() {
        for text in [
            "memory allocation of 34359738368 bytes failed",
            "wgpu error: ERROR_OUT_OF_DEVICE_MEMORY",
            "Not enough memory left.",
            "can't allocate buffer of size: 123",
        ] {
            assert_eq!(fatal_code(text), Some(EXIT_OUT_OF_MEMORY), "{text}");
        }
        assert_eq!(fatal_code("Parent device is lost"), Some(EXIT_DEVICE_LOST));
        assert_eq!(fatal_code("memory pools were cleaned"), None);
        assert_eq!(fatal_code("the device list was read"), None);
    }
}
