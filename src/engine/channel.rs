//! Framed messages over two byte streams: a length, then postcard. Knows nothing of what the messages mean.
//!
//! Nothing that comes in is trusted: the length is checked before anything is read, memory grows only with bytes that
//! really arrived, and a frame must be used up exactly.

use serde::{Serialize, de::DeserializeOwned};
use std::io::{self, Read, Write};

/// Largest frame in bytes. A probe of 256 maps of 64 x 64 is 1 MiB; a picture drawn by hand far less.
pub const MAX_FRAME: usize = 64 << 20;

/// Why a message could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// The stream ended inside a frame, or broke.
    #[error("The connection to the engine must stay open. It broke: {0}.")]
    Io(#[from] io::Error),
    /// A length over the limit.
    #[error(
        "A message must be at most {MAX_FRAME} bytes. This one says {0}. The other side is not Striate, or is broken."
    )]
    TooLarge(u64),
    /// The bytes are not a message.
    #[error("A message must be of this version's form. {0}. Both sides must be the same build.")]
    Malformed(String),
}

/// Writes one message and flushes.
///
/// # Errors
/// A broken stream, or a message over [`MAX_FRAME`].
pub fn write_message<T: Serialize>(stream: &mut impl Write, message: &T) -> Result<(), ChannelError> {
    let bytes = postcard::to_stdvec(message).map_err(|error| ChannelError::Malformed(error.to_string()))?;
    if bytes.len() > MAX_FRAME {
        return Err(ChannelError::TooLarge(bytes.len() as u64));
    }
    let length = u32::try_from(bytes.len()).map_err(|_wide| ChannelError::TooLarge(bytes.len() as u64))?;
    stream.write_all(&length.to_le_bytes())?;
    stream.write_all(&bytes)?;
    Ok(stream.flush()?)
}

/// Reads one message; `None` at the end of the stream.
///
/// # Errors
/// A stream that ends inside a frame, a length over [`MAX_FRAME`], or bytes that are not a `T`.
pub fn read_message<T: DeserializeOwned>(stream: &mut impl Read) -> Result<Option<T>, ChannelError> {
    let mut head = [0_u8; 4];
    let mut have = 0;
    while let Some(rest) = head.get_mut(have..).filter(|rest| !rest.is_empty()) {
        match stream.read(rest) {
            Ok(0) if have == 0 => return Ok(None),
            Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            Ok(n) => have += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    let length = u32::from_le_bytes(head) as usize;
    if length > MAX_FRAME {
        return Err(ChannelError::TooLarge(length as u64));
    }
    let mut bytes = Vec::with_capacity(length.min(1 << 16));
    stream.take(length as u64).read_to_end(&mut bytes)?;
    if bytes.len() < length {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    let (message, rest) =
        postcard::take_from_bytes(&bytes).map_err(|error| ChannelError::Malformed(error.to_string()))?;
    if rest.is_empty() {
        Ok(Some(message))
    } else {
        Err(ChannelError::Malformed(format!("{} bytes are left over", rest.len())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::protocol::{
        Command, DeviceChoice, Event, ImageRef, ProbeRequest, RunId, StepReport, TrainRequest,
    };

    fn round_trip<T: Serialize + DeserializeOwned>(message: &T) -> T {
        let mut bytes = Vec::new();
        write_message(&mut bytes, message).unwrap();
        let mut stream = bytes.as_slice();
        let back = read_message(&mut stream).unwrap().unwrap();
        assert!(read_message::<T>(&mut stream).unwrap().is_none());
        back
    }

    #[test]
    fn commands_and_events_come_back_as_they_were_sent() {
        let request = TrainRequest::new("{\"format\": \"striate\"}".into(), "runs/a b/ü".into());
        for command in [
            Command::Open { device: DeviceChoice::Named("Radeon".into()), threads: Some(2) },
            Command::Train { run: RunId(7), request: Box::new(request) },
            Command::SetLearningRate(1e-4),
            Command::Probe(Box::new(ProbeRequest::new(
                ImageRef::Item { split: crate::data::Split::Test, index: 3 },
                vec!["conv1".into()],
            ))),
            Command::Shutdown,
        ] {
            assert_eq!(round_trip(&command), command);
        }
        let step = StepReport {
            step: u64::MAX,
            epoch: 1,
            loss: 2.25,
            metrics: vec![("accuracy".into(), 0.1)],
            learning_rate: 1e-3,
            grad_norm: 0.5,
            images: 64,
            secs: 0.1,
            images_per_sec: 640.0,
        };
        let event = Event::Steps { run: RunId(1), steps: vec![step] };
        assert_eq!(round_trip(&event), event);
    }

    #[test]
    fn a_length_over_the_limit_is_refused_before_reading_on() {
        // 0xffffffff bytes announced, none sent.
        let mut stream: &[u8] = &[0xff, 0xff, 0xff, 0xff];
        assert!(matches!(read_message::<Event>(&mut stream), Err(ChannelError::TooLarge(4_294_967_295))));
        // One byte over the limit.
        let head = u32::try_from(MAX_FRAME + 1).unwrap().to_le_bytes();
        assert!(matches!(read_message::<Event>(&mut head.as_slice()), Err(ChannelError::TooLarge(_))));
    }

    #[test]
    fn a_stream_that_ends_inside_a_frame_is_an_error_and_between_frames_is_the_end() {
        let mut bytes = Vec::new();
        write_message(&mut bytes, &Command::ListDevices).unwrap();
        write_message(&mut bytes, &Command::SetLearningRate(0.5)).unwrap();
        for cut in 0..bytes.len() {
            let mut stream = bytes.get(..cut).unwrap();
            let mut read = 0;
            let end = loop {
                match read_message::<Command>(&mut stream) {
                    Ok(Some(_)) => read += 1,
                    other => break other,
                }
            };
            // Frames are 4 + 1 and 4 + 9 bytes: the only clean ends are at 0 and 5.
            assert_eq!(end.is_ok(), cut == 0 || cut == 5, "cut at {cut} after {read} messages");
        }
    }

    #[test]
    fn bytes_that_are_no_message_are_an_error_and_never_a_panic() {
        for seed in 0_u64..2_000 {
            let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1);
            let mut bytes = vec![0_u8; 4];
            for _ in 0..seed % 97 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                bytes.push(state.to_le_bytes()[0]);
            }
            let length = u32::try_from(bytes.len() - 4).unwrap().to_le_bytes();
            bytes.splice(..4, length);
            let _ = read_message::<Event>(&mut bytes.as_slice());
            let _ = read_message::<Command>(&mut bytes.as_slice());
        }
        // A string that claims 2^60 bytes inside a small frame (varint) must not be allocated.
        let mut hostile = vec![0_u8, 0, 0, 0, 0];
        hostile.extend([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]);
        let length = u32::try_from(hostile.len() - 4).unwrap().to_le_bytes();
        hostile.splice(..4, length);
        assert!(matches!(read_message::<Event>(&mut hostile.as_slice()), Err(ChannelError::Malformed(_))));
    }

    #[test]
    fn left_over_bytes_are_refused() {
        let mut bytes = Vec::new();
        write_message(&mut bytes, &Command::Pause).unwrap();
        bytes.push(0);
        bytes.splice(..4, 2_u32.to_le_bytes());
        assert!(matches!(read_message::<Command>(&mut bytes.as_slice()), Err(ChannelError::Malformed(_))));
    }
}
