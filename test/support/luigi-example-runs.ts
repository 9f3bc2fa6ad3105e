/**
 * Luigi's own examples (source distribution 3.8.1) that run without a network, a cluster or a service. The others need one:
 * ftp, ssh, Kubernetes, Elasticsearch's IndexDocuments, Hadoop (terasort, wordcount_hadoop) and Spark (pyspark_wc, spark_als,
 * top_artists with use_spark).
 */
export interface LuigiExample {
  readonly module: string;
  readonly task: string;
  readonly parameters?: Readonly<Record<string, string>>;
  readonly workers?: number;
  /** Every file that the example writes, absolute or below the working directory. */
  readonly outputs: readonly string[];
  /** `chance`: the example writes random numbers, so that only the names of the files are the same each time. */
  readonly contents: 'same' | 'chance';
  /** Files that have to be there before. */
  readonly inputs?: Readonly<Record<string, string>>;
  /** How it has to end: some show what goes wrong. */
  readonly ends: 'succeeded' | 'failed';
  /** What an issue of the step has to name. */
  readonly names?: readonly RegExp[];
  /** How many tasks there are. Luigi's own summary counts a task twice that waits for two reasons. */
  readonly tasks: number;
  /** Mostly `time.sleep`. */
  readonly slow?: true;
}

const WEEK = ['2012-01-02', '2012-01-03', '2012-01-04', '2012-01-05', '2012-01-06', '2012-01-07', '2012-01-08'];
const SEED_1 = [291, 32, 130, 60, 253, 230, 241, 194, 107, 48, 249];

const bars = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `/tmp/bar/${from + i}`);

/** Those of one list run one after the other: they write the same files. */
export const LUIGI_EXAMPLES: readonly (readonly LuigiExample[])[] = [
  [
    {
      module: 'examples.execution_summary_example',
      task: 'examples.EntryPoint',
      outputs: bars(5, 200),
      contents: 'same',
      ends: 'failed',
      names: [/MyExternal/],
      tasks: 218,
    },
    {
      module: 'examples.foo',
      task: 'examples.Foo',
      workers: 10,
      outputs: bars(0, 10),
      contents: 'same',
      ends: 'succeeded',
      tasks: 11,
      slow: true,
    },
  ],
  [
    {
      module: 'examples.dynamic_requirements',
      task: 'Dynamic',
      parameters: { seed: '1' },
      workers: 11,
      outputs: ['/tmp/Config_1.txt', ...SEED_1.map((number) => `/tmp/Data_${number}.txt`), '/tmp/Dynamic_1.txt'],
      contents: 'same',
      ends: 'succeeded',
      tasks: 13,
      slow: true,
    },
  ],
  [
    {
      module: 'examples.hello_world',
      task: 'examples.HelloWorldTask',
      outputs: [],
      contents: 'same',
      ends: 'succeeded',
      names: [/cannot be verified/],
      tasks: 1,
    },
    {
      module: 'examples.wordcount',
      task: 'WordCount',
      parameters: { date_interval: '2012-W01' },
      inputs: Object.fromEntries(
        WEEK.map((day, i) => [`/var/tmp/text/${day}.txt`, `the quick fox ${i}\nthe lazy dog\n`]),
      ),
      outputs: ['/var/tmp/text-count/2012-W01'],
      contents: 'same',
      ends: 'succeeded',
      tasks: 8,
    },
    {
      module: 'examples.top_artists',
      task: 'Top10Artists',
      parameters: { date_interval: '2012-W01' },
      workers: 4,
      outputs: [
        ...WEEK.map((day) => `data/streams_${day.replaceAll('-', '_')}_faked.tsv`),
        'data/artist_streams_2012-W01.tsv',
        'data/top_artists_2012-W01.tsv',
      ],
      contents: 'chance',
      ends: 'succeeded',
      tasks: 9,
    },
    {
      module: 'examples.elasticsearch_index',
      task: 'FakeDocuments',
      parameters: { date: '2012-01-02' },
      outputs: ['/tmp/_docs-2012-01-02.ldj'],
      contents: 'same',
      ends: 'succeeded',
      tasks: 1,
    },
    {
      module: 'examples.per_task_retry_policy',
      task: 'examples.PerTaskRetryPolicy',
      outputs: ['/tmp/_docs-SuccessSubTask1__99914b932b.ldj', '/tmp/_docs-SuccessTask1__99914b932b.ldj'],
      contents: 'same',
      ends: 'failed',
      names: [/\bErrorTask1\b/, /\bErrorTask2\b/, /\bDynamicErrorTask1\b/],
      tasks: 7,
    },
  ],
];
