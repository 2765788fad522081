//! What a failed request to HDFS means: a table, from what the client says to what may be concluded.
//!
//! | seen | verdict |
//! |---|---|
//! | the file or folder is there already, or is being written | the name is taken |
//! | there is no such file, or no such folder above it | missing |
//! | the lease has expired, was recovered, or its file is gone | the lease was lost |
//! | a quota | full |
//! | no DataNode takes a block | passes, has not landed; full, if it does not pass |
//! | safe mode, standby, "try again", no connection | passes, has not landed |
//! | permission, credentials, a folder where a file should be, what a server cannot do | refused |
//! | a lost connection, no answer, a DataNode that failed, anything not recognised | passes, may have landed |
//!
//! The client sends a request that changes something once: an answer that is lost leaves a doubt, which whoever asked has
//! to end.

use std::io::ErrorKind;

use hdfs_native::HdfsError;

/// What may be concluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Taken,
    Missing,
    LeaseLost,
    Full,
    /// It will not be done, whoever asks again; what to do about it.
    Refused(&'static str),
    /// It may be done another time.
    Passing(Landed),
    /// It may be done another time, when there is a DataNode with room.
    NoRoom,
}

/// Whether a request may have done, or may yet do, what it was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Landed {
    No,
    Maybe,
}

const PERMISSION: &str = "this user may not do this; give the folder to it, or name another one by `user` in the URL or HADOOP_USER_NAME";
const CREDENTIALS: &str = "the cluster does not take these credentials; run kinit, or check HADOOP_CONF_DIR";
const FOLDER: &str =
    "something else than a file is there, or a file where a folder should be; give another path";
const UNSUPPORTED: &str = "the cluster cannot do this here; a log needs a plain replicated folder, no erasure coding and no encryption zone";
const BAD_REQUEST: &str = "the NameNode does not take the request; check the URL and the options";

/// Judges one failed try.
pub(super) fn judge(error: &HdfsError) -> Verdict {
    match error {
        HdfsError::AlreadyExists(_) => Verdict::Taken,
        HdfsError::FileNotFound(_) => Verdict::Missing,
        HdfsError::IsADirectoryError(_) => Verdict::Refused(FOLDER),
        HdfsError::RPCError(class, text) | HdfsError::FatalRPCError(class, text) => of_server(class, text),
        HdfsError::IOError(error) => match error.kind() {
            ErrorKind::ConnectionRefused
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::AddrNotAvailable
            | ErrorKind::NotConnected => Verdict::Passing(Landed::No),
            _ => Verdict::Passing(Landed::Maybe),
        },
        HdfsError::SASLError(_) | HdfsError::GSSAPIError(..) | HdfsError::NoSASLMechanism => {
            Verdict::Refused(CREDENTIALS)
        }
        HdfsError::OperationFailed(text) if text.contains("erasure-coded") => Verdict::Refused(UNSUPPORTED),
        HdfsError::UnsupportedFeature(_)
        | HdfsError::UnsupportedErasureCodingPolicy(_)
        | HdfsError::ErasureCodingError(_) => Verdict::Refused(UNSUPPORTED),
        HdfsError::InvalidPath(_) | HdfsError::InvalidArgument(_) | HdfsError::UrlParseError(_) => {
            Verdict::Refused(BAD_REQUEST)
        }
        _ => Verdict::Passing(Landed::Maybe),
    }
}

/// By the class of the server's exception, and where that says nothing by its text.
fn of_server(class: &str, text: &str) -> Verdict {
    match class.rsplit(['.', '$']).next().unwrap_or(class) {
        // Of a folder it says so too.
        "FileNotFoundException" if text.starts_with("Path is not a file") => Verdict::Refused(FOLDER),
        "FileNotFoundException" => Verdict::Missing,
        "FileAlreadyExistsException" | "AlreadyBeingCreatedException" => Verdict::Taken,
        "LeaseExpiredException" => Verdict::LeaseLost,
        "SafeModeException"
        | "RetriableException"
        | "StandbyException"
        | "ObserverRetryOnActiveException" => Verdict::Passing(Landed::No),
        // The block before is not yet at as many DataNodes as it must be.
        "NotReplicatedYetException" => Verdict::Passing(Landed::No),
        "NSQuotaExceededException" | "DSQuotaExceededException" | "QuotaByStorageTypeExceededException" => {
            Verdict::Full
        }
        "AccessControlException" | "AuthorizationException" => Verdict::Refused(PERMISSION),
        "SaslException" | "GSSException" | "InvalidToken" => Verdict::Refused(CREDENTIALS),
        "ParentNotDirectoryException" | "PathIsNotEmptyDirectoryException" | "IllegalStateException" => {
            Verdict::Refused(FOLDER)
        }
        "InvalidPathException" | "PathComponentTooLongException" | "HadoopIllegalArgumentException" => {
            Verdict::Refused(BAD_REQUEST)
        }
        _ if text.contains("could only be replicated to") || text.contains("could only be written to") => {
            Verdict::NoRoom
        }
        _ if text.contains("dfs.namenode.fs-limits") => Verdict::Refused(BAD_REQUEST),
        _ => Verdict::Passing(Landed::Maybe),
    }
}

/// The first line: what follows are lines of the server's source.
pub(super) fn text(error: &HdfsError) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn server(class: &str, text: &str) -> HdfsError {
        HdfsError::RPCError(class.into(), text.into())
    }

    #[test]
    fn every_row_of_the_table_holds() {
        let io = |kind| HdfsError::IOError(io::Error::from(kind));
        let maybe = Verdict::Passing(Landed::Maybe);
        let no = Verdict::Passing(Landed::No);
        for (error, expected) in [
            (HdfsError::AlreadyExists("a".into()), Verdict::Taken),
            (HdfsError::FileNotFound("a".into()), Verdict::Missing),
            (server("java.io.FileNotFoundException", "File does not exist: /a"), Verdict::Missing),
            (server("java.io.FileNotFoundException", "Path is not a file: /a"), Verdict::Refused(FOLDER)),
            (
                server("org.apache.hadoop.hdfs.server.namenode.LeaseExpiredException", "No lease on /a"),
                Verdict::LeaseLost,
            ),
            (server("org.apache.hadoop.hdfs.server.namenode.SafeModeException", "in safe mode"), no),
            (server("org.apache.hadoop.ipc.StandbyException", "standby"), no),
            (
                server("org.apache.hadoop.hdfs.protocol.DSQuotaExceededException", "The DiskSpace quota"),
                Verdict::Full,
            ),
            (server("java.io.IOException", "File /a could only be replicated to 0 nodes"), Verdict::NoRoom),
            (
                server("org.apache.hadoop.security.AccessControlException", "Permission denied"),
                Verdict::Refused(PERMISSION),
            ),
            (
                server("org.apache.hadoop.security.token.SecretManager$InvalidToken", "expired"),
                Verdict::Refused(CREDENTIALS),
            ),
            (
                server(
                    "java.io.IOException",
                    "Specified block size is less (dfs.namenode.fs-limits.min-block-size)",
                ),
                Verdict::Refused(BAD_REQUEST),
            ),
            (server("java.io.IOException", "who knows"), maybe),
            (io(ErrorKind::ConnectionRefused), no),
            (io(ErrorKind::ConnectionReset), maybe),
            (io(ErrorKind::UnexpectedEof), maybe),
            (HdfsError::DataTransferError("All nodes failed for write".into()), maybe),
            (HdfsError::OperationFailed("Failed to complete file in time".into()), maybe),
            (HdfsError::UnsupportedFeature("encryption".into()), Verdict::Refused(UNSUPPORTED)),
            (
                HdfsError::OperationFailed("hsync is not supported for erasure-coded files".into()),
                Verdict::Refused(UNSUPPORTED),
            ),
        ] {
            assert_eq!(judge(&error), expected, "{error}");
        }
    }

    #[test]
    fn a_servers_source_lines_are_left_out() {
        let error = server("java.io.IOException", "it failed\n\tat org.apache.hadoop.Thing(Thing.java:7)");
        assert_eq!(text(&error), "RPC error: java.io.IOException it failed");
    }
}
