import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.hadoop.fs.Syncable;
import org.apache.hadoop.fs.permission.FsPermission;

/** Local files whose flush is an fdatasync. Their folder is not synced, which is in Spark's favour. */
public final class SyncedLocal extends RawLocalFileSystem {
    @Override
    protected OutputStream createOutputStream(Path path, boolean append) throws IOException {
        return new Synced(pathToFile(path), append);
    }

    @Override
    protected OutputStream createOutputStreamWithMode(Path path, boolean append, FsPermission permission) throws IOException {
        return new Synced(pathToFile(path), append);
    }

    private static final class Synced extends OutputStream implements Syncable {
        private final FileOutputStream file;

        Synced(File path, boolean append) throws IOException {
            file = new FileOutputStream(path, append);
        }

        @Override
        public void write(int one) throws IOException {
            file.write(one);
        }

        @Override
        public void write(byte[] bytes, int from, int count) throws IOException {
            file.write(bytes, from, count);
        }

        @Override
        public void hflush() throws IOException {
            file.getChannel().force(false);
        }

        @Override
        public void hsync() throws IOException {
            hflush();
        }

        @Override
        public void close() throws IOException {
            file.close();
        }
    }
}
