//! The devices of this computer: listing, choosing and opening them. Runs in the worker only, since drivers crash.

use super::protocol::{DeviceChoice, DeviceInfo, DeviceKind};
use crate::op::DType;
use crate::platform;
use burn::tensor::{Device, FloatDType};

/// Why a device could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// No device of that name.
    #[error(
        "The device must be auto, cpu or one of the list. Received {wanted:?}; there are {known}. See `striate devices`."
    )]
    Unknown {
        /// What was asked for.
        wanted: String,
        /// What there is.
        known: String,
    },
    /// Several devices have that name.
    #[error("The device must be named so that one fits. {wanted:?} fits {found}. Use the id, such as gpu0.")]
    Ambiguous {
        /// What was asked for.
        wanted: String,
        /// Which fit.
        found: String,
    },
    /// The driver refused.
    #[error("The device {name} must be usable by its driver. {message}. Update the driver, or use --device cpu.")]
    Open {
        /// Which device.
        name: String,
        /// What the driver said.
        message: String,
    },
}

/// A device that is ready to compute on.
#[derive(Clone, Debug)]
pub struct Opened {
    /// For tensors.
    pub device: Device,
    /// For people.
    pub info: DeviceInfo,
}

impl Opened {
    /// The CPU.
    pub fn cpu() -> Self {
        Self { device: Device::flex(), info: cpu() }
    }

    /// Whether it computes in this element type.
    pub fn computes(&self, dtype: DType) -> bool {
        match dtype {
            DType::F32 => true,
            DType::F16 => self.device.supports_dtype(FloatDType::F16),
        }
    }

    /// Bytes of the device's pool in use and reserved; nothing for the CPU.
    pub fn pool_bytes(&self) -> Option<(u64, u64)> {
        self.device.memory_pool_usage().map(|usage| (usage.bytes_in_use, usage.bytes_reserved))
    }
}

/// All devices, the CPU first. Software adapters are listed, but `auto` never takes them.
pub fn list() -> Vec<DeviceInfo> {
    let mut all = vec![cpu()];
    #[cfg(feature = "gpu")]
    all.extend(gpu::adapters().into_iter().map(|adapter| adapter.info));
    if let Some(index) = automatic(&all)
        && let Some(chosen) = all.get_mut(index)
    {
        chosen.automatic = true;
    }
    all
}

/// Opens a device.
///
/// # Errors
/// There is none of that name, or its driver refuses.
pub fn open(choice: &DeviceChoice) -> Result<Opened, DeviceError> {
    if *choice == DeviceChoice::Cpu {
        return Ok(Opened::cpu());
    }
    let all = list();
    let index = match choice {
        DeviceChoice::Cpu => Some(0),
        DeviceChoice::Auto => automatic(&all),
        DeviceChoice::Named(name) => Some(named(&all, name)?),
    };
    let Some(info) = index.and_then(|index| all.into_iter().nth(index)) else { return Ok(Opened::cpu()) };
    if info.kind == DeviceKind::Cpu {
        return Ok(Opened { device: Device::flex(), info });
    }
    #[cfg(feature = "gpu")]
    return gpu::open(info);
    #[cfg(not(feature = "gpu"))]
    Ok(Opened::cpu())
}

/// First discrete, then integrated GPU, else the CPU.
fn automatic(all: &[DeviceInfo]) -> Option<usize> {
    let first = |kind| all.iter().position(|info| info.kind == kind);
    first(DeviceKind::Discrete).or_else(|| first(DeviceKind::Integrated)).or_else(|| first(DeviceKind::Cpu))
}

fn named(all: &[DeviceInfo], wanted: &str) -> Result<usize, DeviceError> {
    if let Some(index) = all.iter().position(|info| info.id == wanted || info.name == wanted) {
        return Ok(index);
    }
    let part = wanted.to_lowercase();
    let fits: Vec<usize> = all
        .iter()
        .enumerate()
        .filter(|(_, info)| info.name.to_lowercase().contains(&part))
        .map(|(index, _)| index)
        .collect();
    let names = |infos: &mut dyn Iterator<Item = &DeviceInfo>| {
        infos.map(|info| format!("{} ({})", info.id, info.name)).collect::<Vec<_>>().join(", ")
    };
    match *fits {
        [one] => Ok(one),
        [] => Err(DeviceError::Unknown { wanted: wanted.into(), known: names(&mut all.iter()) }),
        _ => Err(DeviceError::Ambiguous {
            wanted: wanted.into(),
            found: names(&mut fits.iter().filter_map(|&index| all.get(index))),
        }),
    }
}

fn cpu() -> DeviceInfo {
    DeviceInfo {
        id: "cpu".into(),
        name: platform::cpu_name().unwrap_or_else(|| "CPU".into()),
        kind: DeviceKind::Cpu,
        backend: "flex".into(),
        driver: format!("{} threads", platform::threads()),
        capacity_bytes: platform::available_memory(),
        automatic: false,
    }
}

#[cfg(feature = "gpu")]
mod gpu {
    //! Adapters through wgpu; opened for burn through burn-wgpu.

    use super::{DeviceError, DeviceInfo, DeviceKind, Opened};
    use burn::backend::WgpuDeviceKind;
    use burn::tensor::{Device, Tensor};
    use burn_wgpu::{MemoryConfiguration, RuntimeOptions, Wgpu, WgpuBackend, WgpuDevice, graphics::AutoGraphicsApi};

    /// One adapter, and how cubecl finds it again.
    pub(super) struct Adapter {
        pub(super) info: DeviceInfo,
        selector: WgpuDevice,
    }

    /// Adapters of all interfaces, each piece of hardware once: through the native interface before GL. Software adapters
    /// are reached through GL where that exists: the SPIR-V path crashes inside Mesa's software Vulkan.
    pub(super) fn adapters() -> Vec<Adapter> {
        let native = [
            (wgpu::Backends::VULKAN, WgpuBackend::Vulkan),
            (wgpu::Backends::METAL, WgpuBackend::Metal),
            (wgpu::Backends::DX12, WgpuBackend::Dx12),
            (wgpu::Backends::GL, WgpuBackend::Gl),
        ];
        let mut found: Vec<Adapter> = Vec::new();
        for (backends, backend) in native {
            let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
                backends,
                ..wgpu::InstanceDescriptor::new_without_display_handle()
            });
            let list = block_on(instance.enumerate_adapters(backends));
            let mut seen = [0_usize; 5];
            for adapter in list {
                let own = adapter.get_info();
                let (slot, selector): (usize, fn(usize) -> WgpuDeviceKind) = match own.device_type {
                    wgpu::DeviceType::DiscreteGpu => (0, WgpuDeviceKind::DiscreteGpu),
                    wgpu::DeviceType::IntegratedGpu => (1, WgpuDeviceKind::IntegratedGpu),
                    wgpu::DeviceType::VirtualGpu => (2, WgpuDeviceKind::VirtualGpu),
                    wgpu::DeviceType::Cpu => (3, |_| WgpuDeviceKind::Cpu),
                    wgpu::DeviceType::Other => (4, WgpuDeviceKind::Other),
                };
                let Some(number) = seen.get_mut(slot) else { continue };
                let selector = WgpuDevice::new(selector(*number)).on(backend);
                *number += 1;
                let kind = kind(&own);
                let info = DeviceInfo {
                    id: String::new(),
                    name: own.name.clone(),
                    kind,
                    backend: format!("{:?}", own.backend),
                    driver: format!("{} {}", own.driver, own.driver_info).trim().to_owned(),
                    capacity_bytes: vram(&own.device_pci_bus_id),
                    automatic: false,
                };
                let twin = found.iter().position(|other| same(&other.info.name, &info.name));
                match twin {
                    // The same software renderer once more, now through GL.
                    Some(twin) if kind == DeviceKind::Software && backend == WgpuBackend::Gl => {
                        if let Some(place) = found.get_mut(twin) {
                            *place = Adapter { info, selector };
                        }
                    }
                    Some(_) => {}
                    None => found.push(Adapter { info, selector }),
                }
            }
        }
        for (number, adapter) in found.iter_mut().enumerate() {
            adapter.info.id = format!("gpu{number}");
        }
        found
    }

    /// Opens the adapter behind an entry of the list.
    pub(super) fn open(mut info: DeviceInfo) -> Result<Opened, DeviceError> {
        let error = |message: String| DeviceError::Open { name: info.name.clone(), message };
        let found = adapters().into_iter().find(|adapter| adapter.info.id == info.id);
        let Some(adapter) = found else { return Err(error("It is no longer there".into())) };
        // Few tasks per submission: the window draws on the same GPU.
        let options = RuntimeOptions { tasks_max: 8, memory_config: MemoryConfiguration::default() };
        let attempt = || burn_wgpu::try_init_setup::<AutoGraphicsApi>(&adapter.selector, options);
        let setup = std::panic::catch_unwind(std::panic::AssertUnwindSafe(attempt))
            .map_err(|_panic| error("The driver failed while it was opened".into()))?
            .map_err(|failure| error(failure.to_string()))?;
        tracing::info!("opened {} through {:?}", setup.adapter.get_info().name, setup.backend);
        let device = Device::from(adapter.selector);
        // The largest heap that the driver tells of, where it does.
        let probe = Tensor::<1>::zeros([1], &device).try_into_primitive::<Wgpu>();
        let heap = probe.ok().and_then(|tensor| tensor.client.properties().memory.max_memory());
        info.capacity_bytes = info.capacity_bytes.or(heap);
        Ok(Opened { device, info })
    }

    fn kind(info: &wgpu::AdapterInfo) -> DeviceKind {
        let name = info.name.to_lowercase();
        let acted = ["llvmpipe", "softpipe", "swiftshader", "basic render"].iter().any(|word| name.contains(word));
        match info.device_type {
            _ if acted => DeviceKind::Software,
            wgpu::DeviceType::Cpu => DeviceKind::Software,
            wgpu::DeviceType::DiscreteGpu => DeviceKind::Discrete,
            wgpu::DeviceType::IntegratedGpu => DeviceKind::Integrated,
            wgpu::DeviceType::VirtualGpu | wgpu::DeviceType::Other => DeviceKind::Virtual,
        }
    }

    /// Whether two names are of one piece of hardware: GL adds its own words around the name that Vulkan gives.
    fn same(a: &str, b: &str) -> bool {
        let first = |name: &str| name.split(['(', '/', ',']).next().unwrap_or(name).trim().to_lowercase();
        let (a, b) = (first(a), first(b));
        a == b || (a.len() > 5 && b.contains(&a)) || (b.len() > 5 && a.contains(&b))
    }

    /// Video memory as Linux's AMD driver tells it; other systems and drivers keep it to themselves here.
    fn vram(pci: &str) -> Option<u64> {
        if pci.is_empty() || pci.contains('/') {
            return None;
        }
        let path = format!("/sys/bus/pci/devices/{pci}/mem_info_vram_total");
        std::fs::read_to_string(path).ok()?.trim().parse().ok()
    }

    /// wgpu's listing is ready at once outside a browser.
    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let mut future = std::pin::pin!(future);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        loop {
            if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut context) {
                return value;
            }
            std::thread::yield_now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(id: &str, name: &str, kind: DeviceKind) -> DeviceInfo {
        DeviceInfo {
            id: id.into(),
            name: name.into(),
            kind,
            backend: String::new(),
            driver: String::new(),
            capacity_bytes: None,
            automatic: false,
        }
    }

    #[test]
    fn auto_prefers_discrete_then_integrated_and_never_software() {
        use DeviceKind::{Cpu, Discrete, Integrated, Software, Virtual};
        let choose = |kinds: &[DeviceKind]| {
            let all: Vec<_> = kinds.iter().map(|&kind| info("", "", kind)).collect();
            automatic(&all).map(|index| kinds[index])
        };
        assert_eq!(choose(&[Cpu, Software, Integrated, Discrete]), Some(Discrete));
        assert_eq!(choose(&[Cpu, Software, Integrated]), Some(Integrated));
        assert_eq!(choose(&[Cpu, Software, Virtual]), Some(Cpu));
    }

    #[test]
    fn a_device_is_found_by_id_or_by_part_of_its_name_and_doubt_is_an_error() {
        let all = [
            info("cpu", "Xeon", DeviceKind::Cpu),
            info("gpu0", "AMD Radeon RX 7900", DeviceKind::Discrete),
            info("gpu1", "AMD Radeon 780M", DeviceKind::Integrated),
        ];
        assert_eq!(named(&all, "gpu1").unwrap(), 2);
        assert_eq!(named(&all, "780m").unwrap(), 2);
        assert!(matches!(named(&all, "radeon"), Err(DeviceError::Ambiguous { .. })));
        assert!(named(&all, "geforce").unwrap_err().to_string().contains("gpu0"));
    }
}
