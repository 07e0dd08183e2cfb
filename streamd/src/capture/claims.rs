//! Which camera has which device: `auto` takes none that another camera has or is set to.

use std::{
    fs,
    path::{Path, PathBuf},
};

use parking_lot::Mutex;

/// The devices of all cameras, by the cameras' names.
#[derive(Debug, Default)]
pub(super) struct Claims(Mutex<Vec<(String, PathBuf)>>);

impl Claims {
    /// The camera is set to this device, and to no other.
    pub fn set(&self, camera: &str, path: &Path) {
        let mut claims = self.0.lock();
        claims.retain(|(name, _)| name != camera);
        claims.push((camera.into(), path.into()));
    }

    /// The camera takes this device, if no other has it; else the name of the one that does.
    pub fn take(&self, camera: &str, path: &Path) -> Result<(), String> {
        let mut claims = self.0.lock();
        if let Some(other) = other(&claims, camera, path) {
            return Err(other);
        }
        claims.retain(|(name, _)| name != camera);
        claims.push((camera.into(), path.into()));
        Ok(())
    }

    /// The name of another camera that has this device, or is set to it.
    pub fn other(&self, camera: &str, path: &Path) -> Option<String> {
        other(&self.0.lock(), camera, path)
    }

    /// The camera has no device.
    pub fn release(&self, camera: &str) {
        self.0.lock().retain(|(name, _)| name != camera);
    }
}

fn other(claims: &[(String, PathBuf)], camera: &str, path: &Path) -> Option<String> {
    // Looked up each time: what a link leads to changes.
    let node = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.into());
    let wanted = node(path);
    let mut others = claims.iter().filter(|(name, _)| name != camera);
    let (other, _) = others.find(|(_, path)| node(path) == wanted)?;
    Some(other.clone())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_device_has_one_camera_by_whatever_path() {
        let dev = tempfile::tempdir().expect("a directory");
        let (node, link) = (dev.path().join("video0"), dev.path().join("usb-camera"));
        fs::write(&node, "").expect("written");
        symlink("video0", &link).expect("linked");
        let claims = Claims::default();
        claims.set("front", &link);
        assert_eq!(claims.take("any", &node), Err("front".into()));
        assert_eq!(claims.take("any", &dev.path().join("video1")), Ok(()));
        assert_eq!(claims.take("front", &node), Ok(()), "its own");
        claims.release("front");
        assert_eq!(claims.take("any", &node), Ok(()));
    }
}
