import java.nio.ByteBuffer;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkConf;
import org.apache.spark.streaming.util.WriteAheadLog;
import org.apache.spark.streaming.util.WriteAheadLogUtils;

/** Spark's receiver log by itself, made as a receiver's block handler makes it: `ReceiverLog PORT FOLDER FLUSH`. */
public final class ReceiverLog {
    public static void main(String[] words) throws Exception {
        Configuration hadoop = new Configuration();
        // Of HDFS: as many copies as our own log asks for.
        hadoop.set("dfs.replication", "1");
        Flush.valueOf(words[2]).into(hadoop::set);
        SparkConf conf = new SparkConf(false).set("spark.streaming.receiver.writeAheadLog.enable", "true");
        WriteAheadLog log = WriteAheadLogUtils.createLogForReceiver(conf, words[1], hadoop);
        new Orders(Integer.parseInt(words[0]), block -> log.write(ByteBuffer.wrap(block), System.currentTimeMillis())).obey();
        log.close();
        // Hadoop's and Spark's threads would keep it alive.
        System.exit(0);
    }
}
