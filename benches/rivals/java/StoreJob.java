import org.apache.spark.SparkConf;
import org.apache.spark.storage.StorageLevel;
import org.apache.spark.streaming.Durations;
import org.apache.spark.streaming.api.java.JavaStreamingContext;

/**
 * A streaming job on two executors, processes of their own, whose receiver stores what the harness asks for:
 * `StoreJob PORT CLASSES COPIES FOLDER FLUSH`. With a folder the receiver's log is on, without (`-`) there is no log at all.
 * The job does nothing with its blocks, so that they go when their batch is done, and nothing but `store` is measured.
 */
public final class StoreJob {
    public static void main(String[] words) throws Exception {
        int port = Integer.parseInt(words[0]);
        boolean twice = words[2].equals("2");
        boolean logged = !words[3].equals("-");
        SparkConf conf = new SparkConf(false)
                .setMaster("local-cluster[2,1,1024]")
                .setAppName("store")
                .set("spark.driver.host", "127.0.0.1")
                .set("spark.driver.bindAddress", "127.0.0.1")
                .set("spark.executor.extraClassPath", words[1])
                .set("spark.ui.enabled", "false")
                .set("spark.scheduler.minRegisteredResourcesRatio", "1.0")
                .set("spark.streaming.receiver.writeAheadLog.enable", String.valueOf(logged));
        Flush.valueOf(words[4]).into((name, value) -> conf.set("spark.hadoop." + name, value));
        JavaStreamingContext context = new JavaStreamingContext(conf, Durations.milliseconds(500));
        if (logged) context.checkpoint(words[3]);
        StorageLevel level = twice ? StorageLevel.MEMORY_AND_DISK_SER_2() : StorageLevel.MEMORY_AND_DISK_SER();
        context.receiverStream(new StoringReceiver(port, level)).foreachRDD(blocks -> { });
        context.start();
        context.awaitTermination();
    }
}
