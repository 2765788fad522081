import java.util.Arrays;
import java.util.concurrent.atomic.AtomicReference;

/** Threads that each make one block safe after the other, for so long; and how long each block took. */
final class Load {
    /** Makes one block safe, and returns when it is. */
    interface Safe {
        void make(byte[] block) throws Exception;
    }

    private final Safe safe;
    private final int threads;
    private final byte[] block;

    Load(Safe safe, int threads, int blockBytes) {
        this.safe = safe;
        this.threads = threads;
        this.block = noise(blockBytes);
    }

    /** Blocks, seconds, and p50, p99 and p99.9 in microseconds, with blanks between. */
    String run(long millis) throws Exception {
        long[][] took = new long[threads][];
        Thread[] running = new Thread[threads];
        AtomicReference<Exception> failure = new AtomicReference<>();
        long began = System.nanoTime();
        long end = began + millis * 1_000_000;
        for (int at = 0; at < threads; at++) {
            int number = at;
            running[at] = new Thread(() -> {
                try {
                    took[number] = one(end);
                } catch (Exception error) {
                    failure.compareAndSet(null, error);
                }
            });
            running[at].start();
        }
        for (Thread thread : running) thread.join();
        double seconds = (System.nanoTime() - began) / 1e9;
        if (failure.get() != null) throw failure.get();
        long[] all = Arrays.stream(took).flatMapToLong(Arrays::stream).sorted().toArray();
        return all.length + " " + seconds + " " + at(all, 0.5) + " " + at(all, 0.99) + " " + at(all, 0.999);
    }

    private long[] one(long end) throws Exception {
        long[] took = new long[1024];
        int count = 0;
        for (long now = System.nanoTime(); now < end; ) {
            safe.make(block);
            long then = System.nanoTime();
            if (count == took.length) took = Arrays.copyOf(took, 2 * count);
            took[count++] = then - now;
            now = then;
        }
        return Arrays.copyOf(took, count);
    }

    private static double at(long[] sorted, double quantile) {
        if (sorted.length == 0) return 0;
        int rank = (int) Math.ceil(quantile * sorted.length);
        return sorted[Math.max(rank, 1) - 1] / 1e3;
    }

    private static byte[] noise(int bytes) {
        byte[] noise = new byte[bytes];
        new java.util.Random(1).nextBytes(noise);
        return noise;
    }
}
