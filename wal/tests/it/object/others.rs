//! URLs of the other clouds: what they are, and what of their options is secret. Nothing is asked of anybody.

use headwater_wal::Kind;
use headwater_wal::store::open;

/// What no text may show.
const SECRET: &str = "aHVudGVyMi1odW50ZXIy";

#[cfg(feature = "azure")]
#[test]
fn a_container_of_azure_opens_under_each_of_its_schemes() {
    for (url, place) in [
        ("az://box/some/prefix", "az://box/some/prefix"),
        ("azure://box/p/", "azure://box/p"),
        ("adl://box/p", "adl://box/p"),
        ("abfs://box/p", "abfs://box/p"),
        ("abfss://box@account.dfs.core.windows.net/p", "abfss://box@account.dfs.core.windows.net/p"),
    ] {
        let store = open(&format!("{url}?account_name=account&account_key={SECRET}")).unwrap();
        assert_eq!(store.place(), place);
        assert!(!format!("{store:?}").contains(SECRET));
    }
    for (query, says) in [
        ("acount_key=aHVudGVyMi1odW50ZXIy", "did you mean account_key?"),
        ("container_name=other", "stands in the URL"),
        ("endpoint=http://127.0.0.1:1/account", "allow_http=true"),
        ("region=here", "takes no such option"),
    ] {
        let error = open(&format!("az://box/p?account_name=account&{query}")).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid, "{query}");
        assert!(error.to_string().contains(says) && !error.to_string().contains(SECRET), "{query}: {error}");
    }
    // What is wrong with a key is told without the key.
    let error = open(&format!("az://box?account_name=account&account_key={SECRET}!!")).unwrap_err();
    assert!(!format!("{error:?}").contains(SECRET), "{error:?}");
}

#[cfg(feature = "gcs")]
#[test]
fn a_bucket_of_google_opens_and_tells_no_key() {
    let store =
        open(&format!("gs://box/some/prefix?bearer_token={SECRET}&base_url=https://localhost")).unwrap();
    assert_eq!(store.place(), "gs://box/some/prefix");
    assert!(!format!("{store:?}").contains(SECRET));
    let error = open("gs://box/p?servce_account=x").unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(error.to_string().contains("did you mean service_account?"), "{error}");
    let error = open(&format!("gs://box?service_account_key={SECRET}")).unwrap_err();
    assert!(!format!("{error:?}").contains(SECRET), "{error:?}");
}
