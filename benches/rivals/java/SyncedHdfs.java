import java.io.IOException;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FSDataOutputStreamBuilder;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.FilterFileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.hdfs.DistributedFileSystem;
import org.apache.hadoop.util.Progressable;

/** HDFS whose hflush is an hsync: bytes are synced on each DataNode, where an hflush leaves them in its memory. */
public final class SyncedHdfs extends FilterFileSystem {
    public SyncedHdfs() {
        super(new DistributedFileSystem());
    }

    @Override
    public FSDataOutputStream create(Path path, FsPermission permission, boolean overwrite, int bufferBytes, short replication,
            long blockBytes, Progressable progress) throws IOException {
        return new Synced(super.create(path, permission, overwrite, bufferBytes, replication, blockBytes, progress), 0);
    }

    @Override
    public FSDataOutputStream append(Path path, int bufferBytes, Progressable progress) throws IOException {
        FSDataOutputStream stream = super.append(path, bufferBytes, progress);
        return new Synced(stream, stream.getPos());
    }

    /** Not HDFS's own, which would go past the create above. */
    @Override
    public FSDataOutputStreamBuilder createFile(Path path) {
        return FileSystem.createDataOutputStreamBuilder(this, path);
    }

    private static final class Synced extends FSDataOutputStream {
        Synced(FSDataOutputStream stream, long at) {
            super(stream, null, at);
        }

        @Override
        public void hflush() throws IOException {
            hsync();
        }
    }
}
