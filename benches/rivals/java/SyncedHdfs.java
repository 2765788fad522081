import java.io.IOException;
import java.util.EnumSet;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FSDataOutputStreamBuilder;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.FilterFileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.hdfs.DistributedFileSystem;
import org.apache.hadoop.hdfs.client.HdfsDataOutputStream;
import org.apache.hadoop.hdfs.client.HdfsDataOutputStream.SyncFlag;
import org.apache.hadoop.util.Progressable;

/** HDFS whose hflush is an hsync: bytes are synced on each DataNode, where an hflush leaves them in its memory. */
public final class SyncedHdfs extends FilterFileSystem {
    /** The setting that has the length recorded at the NameNode too, which syncs its own log for that. */
    static final String LENGTH = "rivals.length";

    public SyncedHdfs() {
        super(new DistributedFileSystem());
    }

    @Override
    public FSDataOutputStream create(Path path, FsPermission permission, boolean overwrite, int bufferBytes, short replication,
            long blockBytes, Progressable progress) throws IOException {
        return synced(super.create(path, permission, overwrite, bufferBytes, replication, blockBytes, progress), 0);
    }

    @Override
    public FSDataOutputStream append(Path path, int bufferBytes, Progressable progress) throws IOException {
        FSDataOutputStream stream = super.append(path, bufferBytes, progress);
        return synced(stream, stream.getPos());
    }

    /** Not HDFS's own, which would go past the create above. */
    @Override
    public FSDataOutputStreamBuilder createFile(Path path) {
        return FileSystem.createDataOutputStreamBuilder(this, path);
    }

    private FSDataOutputStream synced(FSDataOutputStream stream, long at) {
        return new Synced((HdfsDataOutputStream) stream, at, getConf().getBoolean(LENGTH, false));
    }

    private static final class Synced extends FSDataOutputStream {
        private final HdfsDataOutputStream stream;
        private final EnumSet<SyncFlag> flags;

        Synced(HdfsDataOutputStream stream, long at, boolean length) {
            super(stream, null, at);
            this.stream = stream;
            flags = length ? EnumSet.of(SyncFlag.UPDATE_LENGTH) : EnumSet.noneOf(SyncFlag.class);
        }

        @Override
        public void hflush() throws IOException {
            stream.hsync(flags);
        }
    }
}
