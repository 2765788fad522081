//! The stores that are built by URL.

use std::env;
use std::ffi::OsString;
use std::str::FromStr;
use std::sync::Arc;

use object_store::list::PaginatedListStore;
use object_store::{ObjectStore, RetryConfig};

use super::client::Client;
use super::secrets::Secrets;
use super::seen::plain;
use super::watch::Watching;
use super::{Bucket, Origin, Patience};
use crate::error::Result;
use crate::store::Survives;
use crate::store::url::{Url, invalid, not_an_option};

/// What our own options are called.
const OURS: [&str; 5] = {
    let [attempt, deadline, pause, pause_max] = Patience::OPTIONS;
    [attempt, deadline, pause, pause_max, "unproven"]
};

/// What the clients of all clouds take.
const OF_CLIENTS: [&str; 12] = [
    "allow_http",
    "allow_invalid_certificates",
    "connect_timeout",
    "http1_only",
    "http2_only",
    "pool_idle_timeout",
    "pool_max_idle_per_host",
    "proxy_ca_certificate",
    "proxy_url",
    "read_timeout",
    "timeout",
    "user_agent",
];

/// What the crate beneath has for each of its clouds.
trait Cloud: Clone + Send + Sync + 'static {
    const SCHEME: &str;
    /// Environment variables of its own begin so.
    const ENVIRONMENT: &str;
    /// The names to suggest. It takes more than these.
    const OPTIONS: &[&str];
    type Key: FromStr;
    type Store: ObjectStore + PaginatedListStore;

    fn from_env() -> Self;
    fn to(self, url: String) -> Self;
    fn set(self, key: Self::Key, value: &str) -> Self;
    /// One try a call, watched by us.
    fn plain(self) -> Self;
    fn build_store(self) -> object_store::Result<Self::Store>;
}

macro_rules! cloud {
    ($builder:path, $key:path, $store:path, $scheme:literal, $environment:literal, $options:expr) => {
        impl Cloud for $builder {
            const SCHEME: &str = $scheme;
            const ENVIRONMENT: &str = $environment;
            const OPTIONS: &[&str] = &$options;
            type Key = $key;
            type Store = $store;

            fn from_env() -> Self {
                <$builder>::from_env()
            }

            fn to(self, url: String) -> Self {
                self.with_url(url)
            }

            fn set(self, key: Self::Key, value: &str) -> Self {
                self.with_config(key, value)
            }

            fn plain(self) -> Self {
                let retry = RetryConfig { max_retries: 0, ..RetryConfig::default() };
                self.with_retry(retry).with_http_connector(Watching::default())
            }

            fn build_store(self) -> object_store::Result<Self::Store> {
                self.build()
            }
        }
    };
}

#[cfg(feature = "s3")]
cloud!(
    object_store::aws::AmazonS3Builder,
    object_store::aws::AmazonS3ConfigKey,
    object_store::aws::AmazonS3,
    "s3:",
    "AWS_",
    [
        "access_key_id",
        "checksum_algorithm",
        "conditional_put",
        "container_authorization_token_file",
        "container_credentials_full_uri",
        "container_credentials_relative_uri",
        "disable_bulk_delete",
        "disable_tagging",
        "endpoint",
        "endpoint_url",
        "endpoint_url_sts",
        "imdsv1_fallback",
        "metadata_endpoint",
        "region",
        "request_payer",
        "role_arn",
        "role_session_name",
        "s3_express",
        "secret_access_key",
        "server_side_encryption",
        "session_token",
        "skip_signature",
        "sse_bucket_key_enabled",
        "sse_customer_key_base64",
        "sse_kms_key_id",
        "unsigned_payload",
        "virtual_hosted_style_request",
        "web_identity_token_file",
    ]
);

#[cfg(feature = "gcs")]
cloud!(
    object_store::gcp::GoogleCloudStorageBuilder,
    object_store::gcp::GoogleConfigKey,
    object_store::gcp::GoogleCloudStorage,
    "gs:",
    "GOOGLE_",
    [
        "application_credentials",
        "base_url",
        "bearer_token",
        "service_account",
        "service_account_key",
        "service_account_path",
        "skip_signature",
    ]
);

#[cfg(feature = "azure")]
cloud!(
    object_store::azure::MicrosoftAzureBuilder,
    object_store::azure::AzureConfigKey,
    object_store::azure::MicrosoftAzure,
    "az:",
    "AZURE_",
    [
        "access_key",
        "account_key",
        "account_name",
        "authority_host",
        "bearer_token",
        "client_id",
        "client_secret",
        "credential_type",
        "disable_tagging",
        "endpoint",
        "federated_token_file",
        "identity_endpoint",
        "msi_endpoint",
        "msi_resource_id",
        "object_id",
        "sas_token",
        "skip_signature",
        "tenant_id",
        "use_azure_cli",
        "use_emulator",
        "use_fabric_endpoint",
    ]
);

/// A bucket of S3.
#[cfg(feature = "s3")]
pub(in crate::store) fn s3(url: &Url) -> Result<Bucket> {
    open::<object_store::aws::AmazonS3Builder>(url)
}

/// A bucket of Google Cloud Storage.
#[cfg(feature = "gcs")]
pub(in crate::store) fn gcs(url: &Url) -> Result<Bucket> {
    open::<object_store::gcp::GoogleCloudStorageBuilder>(url)
}

/// A container of Azure.
#[cfg(feature = "azure")]
pub(in crate::store) fn azure(url: &Url) -> Result<Bucket> {
    open::<object_store::azure::MicrosoftAzureBuilder>(url)
}

fn open<C: Cloud>(url: &Url) -> Result<Bucket> {
    if url.authority.is_empty() {
        return Err(invalid(format!("there is no bucket in the URL; write {}//BUCKET/PREFIX", C::SCHEME)));
    }
    let mut settings = Settings::of_environment(C::ENVIRONMENT);
    let (mut origin, mut patience) = (Origin::default(), Patience::default());
    let mut builder = C::from_env();
    for (option, value) in &url.options {
        if patience.take(option, value)? {
            continue;
        }
        if option == "unproven" {
            if value != "accept" {
                return Err(invalid("option unproven has one value: accept"));
            }
            origin.unproven = true;
        } else {
            builder = builder.set(key_of::<C>(option)?, value);
            settings.0.push((option.clone(), value.clone()));
        }
    }
    if settings.is_unencrypted() {
        return Err(invalid("the endpoint is not encrypted; add `allow_http=true` if that is meant"));
    }
    // Ours goes by the size of what is moved; theirs is for a whole request, however large. And a connection that does not
    // come about has to show before a try ends, so that the try is known not to have landed.
    let connecting = format!("{}ms", (patience.attempt / 2).as_millis().max(1));
    for (option, value) in [("timeout", "1day"), ("connect_timeout", &*connecting)] {
        if let (false, Ok(key)) = (settings.has(C::ENVIRONMENT, option), C::Key::from_str(option)) {
            builder = builder.set(key, value);
        }
    }
    // Directory buckets list in no order, and not from the middle.
    let pages = !url.authority.ends_with("--x-s3") && !settings.has(C::ENVIRONMENT, "s3_express");
    let builder = builder.to(format!("{}://{}", url.scheme, url.authority)).plain();
    let (secrets, place) = (settings.secrets(), url.place());
    let connect = move || {
        let failed = |error| {
            let message = format!("the store cannot be opened so; {}: place={place}", plain(&error));
            invalid(secrets.hide(&message))
        };
        let store = Arc::new(builder.clone().build_store().map_err(failed)?);
        let pages = pages.then(|| store.clone() as Arc<dyn PaginatedListStore>);
        let (secrets, place) = (secrets.clone(), place.clone());
        Ok(Client { store, pages, watched: true, patience: patience.clone(), secrets, place })
    };
    let client = connect()?;
    origin.connect = Some(Arc::new(connect));
    Bucket::of(client, url.prefix(), Survives::Machine, origin)
}

/// What the crate beneath knows an option as.
fn key_of<C: Cloud>(option: &str) -> Result<C::Key> {
    if ["bucket", "bucket_name", "container_name"].iter().any(|end| option.ends_with(end)) {
        let message =
            format!("the bucket stands in the URL before its path, not in an option: option={option}");
        return Err(invalid(message));
    }
    C::Key::from_str(option).map_err(|_| {
        let known: Vec<&str> = OURS.iter().chain(&OF_CLIENTS).chain(C::OPTIONS).copied().collect();
        not_an_option(option, C::SCHEME, &known)
    })
}

/// What a store is told, by the environment and then by the URL.
struct Settings(Vec<(String, String)>);

impl Settings {
    fn of_environment(prefix: &str) -> Self {
        let text =
            |(key, value): (OsString, OsString)| Some((key.into_string().ok()?, value.into_string().ok()?));
        let ours = env::vars_os().filter_map(text).filter(|(key, _)| key.starts_with(prefix));
        Settings(ours.map(|(key, value)| (key.to_ascii_lowercase(), value)).collect())
    }

    /// Whether an option is set, under its short name or its full one.
    fn has(&self, prefix: &str, option: &str) -> bool {
        let full = format!("{}{option}", prefix.to_ascii_lowercase());
        self.0.iter().any(|(key, _)| *key == option || *key == full)
    }

    fn is_unencrypted(&self) -> bool {
        let is_endpoint = |key: &str| {
            (key.contains("endpoint") || key.ends_with("base_url"))
                && !["metadata", "msi", "identity"].iter().any(|of| key.contains(of))
        };
        let allowed = self.0.iter().any(|(key, _)| key.ends_with("allow_http"));
        !allowed && self.0.iter().any(|(key, value)| is_endpoint(key) && value.starts_with("http://"))
    }

    fn secrets(&self) -> Secrets {
        let mut secrets = Secrets::default();
        self.0.iter().for_each(|(option, value)| secrets.note(option, value));
        secrets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_option_parses<C: Cloud>() {
        for option in OF_CLIENTS.iter().chain(C::OPTIONS) {
            assert!(C::Key::from_str(option).is_ok(), "{} takes no {option}", C::SCHEME);
        }
    }

    #[test]
    fn what_is_suggested_is_taken() {
        #[cfg(feature = "s3")]
        every_option_parses::<object_store::aws::AmazonS3Builder>();
        #[cfg(feature = "gcs")]
        every_option_parses::<object_store::gcp::GoogleCloudStorageBuilder>();
        #[cfg(feature = "azure")]
        every_option_parses::<object_store::azure::MicrosoftAzureBuilder>();
    }
}
