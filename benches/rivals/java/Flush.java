import java.util.function.BiConsumer;

/** What a log's flush is. */
enum Flush {
    /** As Spark and Hadoop have it. */
    asItIs,
    /** A sync. */
    synced;

    /** Into Hadoop's settings. */
    void into(BiConsumer<String, String> settings) {
        if (this == synced) {
            settings.accept("fs.file.impl", SyncedLocal.class.getName());
            settings.accept("fs.hdfs.impl", SyncedHdfs.class.getName());
        }
    }
}
