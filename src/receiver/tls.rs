//! TLS: one certificate from files, taken anew when they change, and perhaps client certificates.
//!
//! rustls with the ring provider, TLS 1.2 and 1.3. The files are looked at now and then rather than watched, which
//! works on every file system and however they are replaced. A change that cannot be used (a certificate without its new
//! key, half a file) changes nothing but is reported, and is tried again. Connections that are open stay as
//! they are.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use super::TlsSettings;

/// Why TLS cannot be offered with these files.
#[derive(Debug, Error)]
pub enum TlsError {
    #[error("cannot read {}: {cause}", path.display())]
    Read { path: PathBuf, cause: io::Error },
    #[error("{} holds no PEM {what}: {cause}", path.display())]
    Pem { path: PathBuf, what: &'static str, cause: rustls::pki_types::pem::Error },
    #[error("{} and {} do not make a server certificate: {cause}", certificate.display(), key.display())]
    Certificate { certificate: PathBuf, key: PathBuf, cause: rustls::Error },
    #[error("{} holds no certificate authority: {cause}", path.display())]
    Authority { path: PathBuf, cause: String },
}

/// When a client must show a certificate, if an authority for them is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientCertificate {
    /// To connect.
    ToConnect,
    /// Only for what the protocol decides; a wrong one is no connection in any case.
    LaterOn,
}

/// A TLS server's side.
pub(super) struct Tls {
    settings: TlsSettings,
    protocols: Vec<Vec<u8>>,
    wanted: ClientCertificate,
    current: ArcSwap<Current>,
}

struct Current {
    files: Files,
    config: Arc<ServerConfig>,
}

/// The files' contents.
#[derive(PartialEq, Eq)]
struct Files {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_authority: Option<Vec<u8>>,
}

impl Tls {
    /// Reads the files. `protocols` are ALPN names, the preferred first.
    pub(super) fn load(
        settings: TlsSettings,
        protocols: &[&str],
        wanted: ClientCertificate,
    ) -> Result<Self, TlsError> {
        let protocols: Vec<_> = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let files = Files::read(&settings)?;
        let config = Arc::new(configure(&settings, &files, &protocols, wanted)?);
        let current = ArcSwap::from_pointee(Current { files, config });
        Ok(Self { settings, protocols, wanted, current })
    }

    /// Whether clients have certificates at all.
    pub(super) fn knows_clients(&self) -> bool {
        self.settings.client_authority.is_some()
    }

    /// Shakes hands, within the time for it.
    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let acceptor = TlsAcceptor::from(Arc::clone(&self.current.load().config));
        tokio::time::timeout(self.settings.handshake_timeout, acceptor.accept(stream)).await?
    }

    /// Looks at the files now and then until `end`. `failed` hears of each look that found something unusable.
    pub(super) async fn keep_fresh(&self, failed: impl Fn(&TlsError), end: &CancellationToken) {
        let pause = || tokio::time::sleep(self.settings.reload_interval);
        while end.run_until_cancelled(pause()).await.is_some() {
            match self.refresh() {
                Ok(true) => {
                    tracing::info!(certificate = %self.settings.certificate.display(), "certificate reloaded")
                }
                Ok(false) => {}
                Err(error) => failed(&error),
            }
        }
    }

    /// Takes the files' contents if they changed; says whether they did.
    fn refresh(&self) -> Result<bool, TlsError> {
        let files = Files::read(&self.settings)?;
        if files == self.current.load().files {
            return Ok(false);
        }
        let config = Arc::new(configure(&self.settings, &files, &self.protocols, self.wanted)?);
        self.current.store(Arc::new(Current { files, config }));
        Ok(true)
    }
}

impl Files {
    fn read(settings: &TlsSettings) -> Result<Self, TlsError> {
        Ok(Self {
            certificate: read(&settings.certificate)?,
            key: read(&settings.key)?,
            client_authority: settings.client_authority.as_deref().map(read).transpose()?,
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|cause| TlsError::Read { path: path.to_owned(), cause })
}

fn configure(
    settings: &TlsSettings,
    files: &Files,
    protocols: &[Vec<u8>],
    wanted: ClientCertificate,
) -> Result<ServerConfig, TlsError> {
    let pem = |path: &Path, what, cause| TlsError::Pem { path: path.to_owned(), what, cause };
    let chain =
        certificates(&files.certificate).map_err(|cause| pem(&settings.certificate, "certificate", cause))?;
    let key = PrivateKeyDer::from_pem_slice(&files.key)
        .map_err(|cause| pem(&settings.key, "private key", cause))?;
    let unusable = |cause| TlsError::Certificate {
        certificate: settings.certificate.clone(),
        key: settings.key.clone(),
        cause,
    };

    let provider = Arc::new(ring::default_provider());
    let verifier = match (&settings.client_authority, &files.client_authority) {
        (Some(path), Some(file)) => {
            let authorities = certificates(file).map_err(|cause| pem(path, "certificate", cause))?;
            verifier(authorities, &provider, wanted)
                .map_err(|cause| TlsError::Authority { path: path.clone(), cause })?
        }
        _ => WebPkiClientVerifier::no_client_auth(),
    };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(unusable)?;
    config.alpn_protocols = protocols.to_vec();
    Ok(config)
}

fn certificates(file: &[u8]) -> Result<Vec<CertificateDer<'static>>, rustls::pki_types::pem::Error> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(file).collect::<Result<_, _>>()?;
    if found.is_empty() { Err(rustls::pki_types::pem::Error::NoItemsFound) } else { Ok(found) }
}

fn verifier(
    authorities: Vec<CertificateDer<'static>>,
    provider: &Arc<CryptoProvider>,
    wanted: ClientCertificate,
) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority).map_err(|error| error.to_string())?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    let builder = match wanted {
        ClientCertificate::ToConnect => builder,
        ClientCertificate::LaterOn => builder.allow_unauthenticated(),
    };
    builder.build().map_err(|error| error.to_string())
}
