//! The GTM's own protocol, as far as its status goes (opentenbase-v2.6-live.md, "GTM").

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::sandbox::world::{DiskId, Gtm, GtmRole, World};

use super::daemon::Daemon;

/// MSG_CHECK_GTM_STATUS.
const CHECK_STATUS: i32 = 82;
/// CHECK_GTM_STATUS_RESULT.
const STATUS_RESULT: i32 = 16;
/// No message of a status client is longer.
const MAX_MESSAGE: usize = 8192;

/// Serves one connection until the client leaves.
pub(super) async fn serve(daemon: &Arc<Daemon>, disk: DiskId, mut stream: TcpStream) -> io::Result<()> {
    daemon.gate(disk).await;
    daemon.slowness(disk).await;
    daemon.with(|world, _| world.gtm_connected(disk));
    let (kind, _startup) = message(&mut stream).await?;
    if kind != b'A' {
        return Err(io::ErrorKind::InvalidData.into());
    }
    // AuthenticationOk.
    stream.write_all(&[b'R', 0, 0, 0, 8, 0, 0, 0, 0]).await?;
    loop {
        let (kind, body) = message(&mut stream).await?;
        daemon.gate(disk).await;
        daemon.slowness(disk).await;
        let asked = body.get(..4).and_then(|bytes| bytes.try_into().ok()).map(i32::from_be_bytes);
        match (kind, asked) {
            (b'C', Some(CHECK_STATUS)) => {
                let reply = daemon.with(|world, now| world.gtm(disk).map(|gtm| status(world, disk, gtm, now)));
                match reply {
                    Some(reply) => stream.write_all(&reply).await?,
                    None => return Ok(()),
                }
            }
            (b'X', _) => return Ok(()),
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

/// A type byte, a length that counts itself, a body.
async fn message(stream: &mut TcpStream) -> io::Result<(u8, Vec<u8>)> {
    let kind = stream.read_u8().await?;
    let length = usize::try_from(stream.read_i32().await?).unwrap_or(0);
    let body = length.checked_sub(4).filter(|body| *body <= MAX_MESSAGE).ok_or(io::ErrorKind::InvalidData)?;
    let mut bytes = vec![0; body];
    stream.read_exact(&mut bytes).await?;
    Ok((kind, bytes))
}

fn status(world: &World, disk: DiskId, gtm: &Gtm, now: crate::sandbox::Moment) -> Vec<u8> {
    let is_standby = matches!(gtm.process.as_ref().map(|process| &process.role), Some(GtmRole::Standby { .. }));
    let gts = |gtm: &Gtm| i64::try_from(gtm.timestamp(now)).unwrap_or(i64::MAX).to_ne_bytes();
    let flushed = |gtm: &Gtm| i64::try_from(gtm.flushed().0).unwrap_or(i64::MAX).to_be_bytes();
    let mut body = Vec::new();
    body.extend(STATUS_RESULT.to_be_bytes());
    body.extend(i32::from(is_standby).to_ne_bytes());
    body.extend(gts(gtm));
    body.extend(flushed(gtm));
    let standbys = world.gtm_standbys(disk);
    body.extend(i32::try_from(standbys.len()).unwrap_or(i32::MAX).to_be_bytes());
    for standby in standbys {
        let mut name =
            standby.process.as_ref().map(|process| format!("localhost:{}", process.port)).unwrap_or_default();
        name.push('\0');
        body.extend(0_i32.to_be_bytes());
        body.extend(i32::try_from(name.len()).unwrap_or(i32::MAX).to_be_bytes());
        body.extend(name.as_bytes());
        body.extend(gts(standby));
        body.extend(flushed(standby));
    }
    let mut reply = vec![b'S'];
    reply.extend(i32::try_from(body.len() + 4).unwrap_or(i32::MAX).to_be_bytes());
    reply.extend(body);
    reply
}
