//! Certificates and keys in PEM, checked before anybody keeps them: what passes here can be connected with.

use url::Url;

use crate::transport::{certificates, connections};
use crate::{Limits, UpstreamConfig, UpstreamError};

/// Why a text is not what it should be, for people.
type Refusal = String;

/// Checks that a text holds PEM certificates, all of which can be read.
pub fn check_certificates(pem: &str) -> Result<(), Refusal> {
    certificates("ca_cert", pem).map_err(reason)?;
    build(&UpstreamConfig { ca_cert: Some(pem.to_owned()), ..nowhere() })
}

/// Checks that a text holds an unencrypted PEM private key.
pub fn check_private_key(pem: &str) -> Result<(), Refusal> {
    use rustls_pki_types::PrivateKeyDer;
    use rustls_pki_types::pem::PemObject as _;
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes());
    key.map(drop).map_err(|_| "it holds no unencrypted PEM private key".to_owned())
}

/// Checks that a private key is the one of a certificate.
pub fn check_identity(client_cert: &str, client_key: &str) -> Result<(), Refusal> {
    build(&UpstreamConfig {
        client_cert: Some(client_cert.to_owned()),
        client_key: Some(client_key.to_owned()),
        // The roots of the system are of no interest here.
        tls_validation: false,
        ..nowhere()
    })
}

fn nowhere() -> UpstreamConfig {
    let url: Url = "https://registry.invalid".parse().expect("it is a URL");
    UpstreamConfig::new(url, "x".parse().expect("it is a repository name"))
}

fn build(config: &UpstreamConfig) -> Result<(), Refusal> {
    connections(config, &Limits::default()).map(drop).map_err(reason)
}

fn reason(error: UpstreamError) -> Refusal {
    match error {
        UpstreamError::Setting { reason, .. } => reason,
        other => other.to_string(),
    }
}
