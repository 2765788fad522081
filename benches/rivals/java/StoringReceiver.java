import java.nio.ByteBuffer;
import org.apache.spark.storage.StorageLevel;
import org.apache.spark.streaming.receiver.Receiver;

/** A receiver whose threads store ready blocks, each waiting until Spark says that its block is safe. */
public final class StoringReceiver extends Receiver<byte[]> {
    private static final long serialVersionUID = 1;
    private final int port;

    StoringReceiver(int port, StorageLevel level) {
        super(level);
        this.port = port;
    }

    @Override
    public void onStart() {
        Thread thread = new Thread(this::obey);
        thread.setDaemon(true);
        thread.start();
    }

    @Override
    public void onStop() { }

    private void obey() {
        try {
            // A ready block is serialised bytes, which Spark keeps as they are.
            new Orders(port, block -> store(ByteBuffer.wrap(block.clone()))).obey();
        } catch (Exception error) {
            error.printStackTrace();
        }
    }
}
