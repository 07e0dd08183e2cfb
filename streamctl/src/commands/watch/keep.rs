//! What is written of a stream: frames as files, frames one after the other.

use super::{
    args::Args,
    output::{Output, Written},
    save::{Error, Folder},
    steering::Steering,
};

/// Where frames are written to; nowhere by default.
#[derive(Debug, Default)]
pub struct Keep {
    folder: Option<Folder>,
    output: Option<Output>,
}

impl Keep {
    /// Opens what the command line names.
    ///
    /// # Errors
    /// When a directory or file cannot be made.
    pub fn open(args: &Args) -> Result<Self, Error> {
        Ok(Self {
            folder: args.save.as_deref().map(Folder::open).transpose()?,
            output: args.output.as_deref().map(Output::open).transpose()?,
        })
    }

    /// Frames saved as files.
    pub fn saved(&self) -> u64 {
        self.folder.as_ref().map_or(0, Folder::saved)
    }

    /// Writes a frame to where it is wanted.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn picture(&mut self, jpeg: &[u8], steering: &Steering) -> Result<Written, Error> {
        if let Some(folder) = &mut self.folder {
            folder.save(jpeg)?;
        }
        match &mut self.output {
            Some(output) => output.write(jpeg, steering),
            None => Ok(Written::Whole),
        }
    }
}
