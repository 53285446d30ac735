//! The secret behind listener keys: made once, kept in the data folder, readable by its owner only.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::attribution::Secret;

/// What keeps the secret from being had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("the secret {}: {cause}", path.display())]
    File { path: PathBuf, cause: io::Error },
    #[error(
        "the secret {} must be 32 hexadecimal digits; without the right one, listeners of before are not recognised: \
         restore it from a backup, or remove it to start with a new one",
        path.display()
    )]
    Broken { path: PathBuf },
    #[error("no randomness to be had: {0}")]
    Random(#[from] getrandom::Error),
}

/// Reads the secret, or makes one where there is none.
pub fn load_or_create(folder: &Path) -> Result<Secret, SecretError> {
    let path = folder.join("secret");
    let failed = |cause| SecretError::File { path: path.clone(), cause };
    match fs::read_to_string(&path) {
        Ok(text) => parse(text.trim()).ok_or(SecretError::Broken { path }),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
            let secret = random()?;
            write(folder, &path, &secret).map_err(failed)?;
            Ok(secret)
        }
        Err(cause) => Err(failed(cause)),
    }
}

/// A secret for a count that keeps nothing.
pub fn random() -> Result<Secret, SecretError> {
    let mut secret = Secret::default();
    getrandom::fill(&mut secret)?;
    Ok(secret)
}

/// Under another name first: a crash leaves no half of a secret.
fn write(folder: &Path, path: &Path, secret: &Secret) -> io::Result<()> {
    let draft = folder.join("secret.new");
    let text = secret.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    fs::File::open(folder)?.sync_all()
}

fn parse(text: &str) -> Option<Secret> {
    let mut secret = Secret::default();
    if text.len() != secret.len() * 2 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in secret.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).ok()?;
    }
    Some(secret)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn made_once_and_kept_private() {
        let folder = tempfile::tempdir().unwrap();
        let secret = load_or_create(folder.path()).unwrap();
        assert_eq!(load_or_create(folder.path()).unwrap(), secret);
        assert_ne!(secret, random().unwrap());
        let mode = fs::metadata(folder.path().join("secret")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_broken_secret_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["", "abc", &"g".repeat(32), &"0".repeat(33)] {
            fs::write(folder.path().join("secret"), text).unwrap();
            assert!(matches!(load_or_create(folder.path()), Err(SecretError::Broken { .. })), "{text}");
            assert_eq!(fs::read_to_string(folder.path().join("secret")).unwrap(), *text);
        }
    }
}
