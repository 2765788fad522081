import java.util.function.BiConsumer;

/** What a log's flush is. */
enum Flush {
    /** As Spark and Hadoop have it. */
    asItIs,
    /** A sync. */
    synced,
    /** On HDFS, a sync that records the length at the NameNode, as Headwater's does. */
    syncedWithLength;

    /** Into Hadoop's settings. */
    void into(BiConsumer<String, String> settings) {
        if (this != asItIs) {
            settings.accept("fs.file.impl", SyncedLocal.class.getName());
            settings.accept("fs.hdfs.impl", SyncedHdfs.class.getName());
            settings.accept(SyncedHdfs.LENGTH, String.valueOf(this == syncedWithLength));
        }
    }
}
