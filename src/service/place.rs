//! Where the service is reached, for messages to people.

use std::net::SocketAddr;

use registry::{Reference, RepositoryName};

/// Where the service is reached.
#[derive(Debug, Clone)]
pub struct Place {
    /// The address that it listens on.
    pub address: SocketAddr,
    public_url: Option<String>,
}

impl Place {
    /// A service that listens on `address`, and is reached by `public_url` if that is set.
    pub fn new(address: SocketAddr, public_url: Option<String>) -> Self {
        Self { address, public_url }
    }

    /// The URL to show.
    pub fn url(&self) -> String {
        self.public_url.clone().unwrap_or_else(|| self.local_url())
    }

    /// The URL by which this process reaches the service.
    pub fn local_url(&self) -> String {
        let ip = self.address.ip();
        let port = self.address.port();
        match ip {
            _ if !ip.is_unspecified() => format!("http://{}", self.address),
            std::net::IpAddr::V4(_) => format!("http://127.0.0.1:{port}"),
            std::net::IpAddr::V6(_) => format!("http://[::1]:{port}"),
        }
    }

    /// The command by which podman pulls an image from the service.
    pub fn pull_command(&self, name: &RepositoryName, reference: &Reference) -> String {
        let url = self.url();
        let separator = if matches!(reference, Reference::Digest(_)) { '@' } else { ':' };
        let (option, host) = match url.strip_prefix("https://") {
            Some(host) => ("", host),
            None => (" --tls-verify=false", url.trim_start_matches("http://")),
        };
        format!("podman pull{option} {host}/{name}{separator}{reference}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pull(listen: &str, public_url: Option<&str>) -> String {
        let place = Place::new(listen.parse().unwrap(), public_url.map(str::to_owned));
        place.pull_command(&"library/alpine".parse().unwrap(), &"3.20".parse().unwrap())
    }

    #[test]
    fn the_pull_command_names_what_can_be_reached() {
        let plain = "podman pull --tls-verify=false";
        assert_eq!(pull("127.0.0.1:24817", None), format!("{plain} 127.0.0.1:24817/library/alpine:3.20"));
        assert_eq!(pull("0.0.0.0:1", None), format!("{plain} 127.0.0.1:1/library/alpine:3.20"));
        assert_eq!(pull("[::]:1", None), format!("{plain} [::1]:1/library/alpine:3.20"));
        assert_eq!(pull("0.0.0.0:1", Some("https://r.example")), "podman pull r.example/library/alpine:3.20");
        assert_eq!(pull("0.0.0.0:1", Some("http://r:5")), format!("{plain} r:5/library/alpine:3.20"));
    }
}
