import assert from 'node:assert/strict';
import fc from 'fast-check';
import { pythonFailure } from '#engines/airflow/python-failure.ts';

const SITE = '/venv/lib/python3.12/site-packages';
const failureOf = (text: string) => pythonFailure(text.split('\n'));

describe('the exception in the log of a task', () => {
  it('is found in the form of Airflow 2, whose runner logs it again from further out', () => {
    const failure = failureOf(`[2026-11-21T18:53:20.363+0000] {taskinstance.py:3337} ERROR - Task failed with exception
Traceback (most recent call last):
  File "${SITE}/airflow/models/taskinstance.py", line 776, in _execute_task
    result = _execute_callable(context=context, **execute_callable_kwargs)
             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/dags/basic.py", line 51, in bad
    raise ValueError("orders.csv has 3 rows, 4 expected")
ValueError: orders.csv has 3 rows, 4 expected
[2026-11-21T18:53:22.456+0000] {standard_task_runner.py:124} ERROR - Failed to execute job 4 for task bad
Traceback (most recent call last):
  File "${SITE}/airflow/task/task_runner/standard_task_runner.py", line 117, in _start_by_fork
    ret = args.func(args, dag=self.dag)
ValueError: orders.csv has 3 rows, 4 expected
[2026-11-21T18:53:22.575+0000] {local_task_job_runner.py:266} INFO - Task exited with return code 1`);
    assert.deepEqual([failure?.type, failure?.message], ['ValueError', 'orders.csv has 3 rows, 4 expected']);
    assert.deepEqual(failure?.frame, { file: '/dags/basic.py', line: 51, function: 'bad' });
    assert.ok(failure?.traceback.startsWith('Traceback') && !failure.traceback.includes('standard_task_runner'));
  });

  it('is the last of a chain, with a message of several lines, and the traceback has all of it', () => {
    const failure = failureOf(`[2026-11-21T18:53:41.2Z] ERROR - Task failed with exception
Traceback (most recent call last):
  File "/dags/basic.py", line 4, in read
OSError: no such file

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/dags/basic.py", line 5, in bad
  File "${SITE}/pandas/io.py", line 9, in parse
orders.BadOrders: the orders
cannot be read
[2026-11-21T18:53:42.2Z] INFO - bye`);
    assert.deepEqual([failure?.type, failure?.message], ['orders.BadOrders', 'the orders\ncannot be read']);
    assert.equal(failure?.frame?.line, 5);
    assert.match(failure?.traceback ?? '', /OSError: no such file[\s\S]*BadOrders/);
  });

  it('is not one that the task has caught and logged before', () => {
    const failure = failureOf(`Traceback (most recent call last):
  File "/dags/a.py", line 1, in a
KeyError: 'caught'
2026-11-21T18:53:41.2Z ERROR Task failed with exception
Traceback (most recent call last):
  File "/dags/a.py", line 2, in a
RuntimeError`);
    assert.deepEqual([failure?.type, failure?.message], ['RuntimeError', '']);
  });

  it('has no frame where all of them are those of Airflow', () => {
    const failure = failureOf(`Traceback (most recent call last):
  File "${SITE}/airflow/providers/standard/operators/bash.py", line 1, in execute
AirflowException: Bash command failed.`);
    assert.deepEqual([failure?.type, failure?.frame], ['AirflowException', undefined]);
  });

  it('is none where the log tells none, or is cut in the middle of one', () => {
    assert.equal(failureOf('[2026-11-21T18:53:42.2Z] INFO - bye'), undefined);
    assert.equal(failureOf('Traceback (most recent call last):\n  File "/dags/a.py", line 1, in a'), undefined);
    assert.equal(failureOf(''), undefined);
  });

  it('is looked for in any text', () => {
    const line = fc.oneof(
      fc.string(),
      fc.constantFrom('Traceback (most recent call last):', '  File "a.py", line 1, in b', '', 'ValueError: no'),
      fc.constantFrom('During handling of the above exception, another exception occurred:', '2026-11-21T18:53:42 x'),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 60 }), (lines) => {
        const failure = pythonFailure(lines);
        if (failure) assert.ok(!failure.type.includes(' ') && failure.traceback.includes('Traceback'));
      }),
    );
  });
});
