//! A server of files that does not answer.

use std::{
    ffi::CString,
    fs::{File, OpenOptions},
    os::{fd::AsRawFd, unix::ffi::OsStrExt},
    path::PathBuf,
    time::Duration,
};

use anyhow::{Result, ensure};
use serde_json::Value;

use super::{
    super::{
        Test, here, skip,
        stillwatch::Watch,
        workload::{Workload, call, sleep},
    },
    is_sound, names, only, wait_for,
};

pub const TESTS: &[Test] = &[here("findings_stuck_tasks_behind_a_server_of_files_that_hangs", hangs)];

/// Two callers that a signal could end, and two that were sent one, and wait for the answer all the same.
fn hangs() -> Result<()> {
    let directory = std::env::temp_dir().join(format!("stillwatch-fuse-{}", std::process::id()));
    let path = CString::new(directory.as_os_str().as_bytes())?;
    let caller = || {
        Workload::new(|| {
            let mut answer = [0u64; 32];
            call(libc::SYS_statfs, [path.as_ptr() as u64, answer.as_mut_ptr() as u64, 0]);
            [0; 2]
        })
    };
    // Before the file system, so that they end after its server.
    let callers = [caller()?, caller()?, caller()?, caller()?];
    let Ok(device) = OpenOptions::new().read(true).write(true).open("/dev/fuse") else {
        return Err(skip("no FUSE"));
    };
    let _mounted = Mounted::new(directory, &device)?;
    let server = Workload::new(|| serve(device.as_raw_fd()))?;
    drop(device);
    server.go();
    callers.iter().for_each(Workload::go);
    sleep(Duration::from_millis(300));
    for caller in &callers[2..] {
        // SAFETY: a child of ours.
        unsafe { libc::kill(caller.pid as i32, libc::SIGTERM) };
    }
    let mut watch = Watch::everything(&[])?;
    let is_right = |finding: &Value| {
        names(finding, "culprits", server.pid) && callers.iter().all(|caller| names(finding, "victims", caller.pid))
    };
    let found = wait_for(&mut watch, "stuck_tasks", is_right)?;
    is_sound(&found)?;
    watch.stop()?;
    ensure!(found["harm"].as_f64() >= Some(3.9), "{found}");
    only(&watch, &["stuck_tasks"])
}

pub struct Mounted(PathBuf);

impl Mounted {
    pub fn new(directory: PathBuf, device: &File) -> Result<Self> {
        std::fs::create_dir(&directory)?;
        let mounted = Self(directory);
        let path = CString::new(mounted.0.as_os_str().as_bytes())?;
        let options = CString::new(format!("fd={},rootmode=40000,user_id=0,group_id=0", device.as_raw_fd()))?;
        // SAFETY: strings that end.
        let failed =
            unsafe { libc::mount(c"stillwatch".as_ptr(), path.as_ptr(), c"fuse".as_ptr(), 0, options.as_ptr().cast()) };
        ensure!(failed == 0, "mount: {}", std::io::Error::last_os_error());
        Ok(mounted)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Ok(path) = CString::new(self.0.as_os_str().as_bytes()) {
            // SAFETY: a string that ends.
            unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH) };
        }
        let _ = std::fs::remove_dir(&self.0);
    }
}

const FUSE_INIT: u32 = 26;

/// Reads all requests, and answers the first only, without which there are no others.
fn serve(device: i32) -> [u64; 2] {
    let mut request = vec![0u32; 1 << 18];
    loop {
        let read = call(libc::SYS_read, [device as u64, request.as_mut_ptr() as u64, 1 << 20]);
        if read < 16 {
            return [0; 2];
        }
        let [_, operation, unique @ ..] = [request[0], request[1], request[2], request[3]];
        if operation == FUSE_INIT {
            // `fuse_out_header`, then `fuse_init_out`.
            let mut answer = [0u32; 20];
            answer[..11].copy_from_slice(&[80, 0, unique[0], unique[1], 7, 31, 65536, 0, 12 | 9 << 16, 65536, 1]);
            call(libc::SYS_write, [device as u64, answer.as_ptr() as u64, 80]);
        }
    }
}
