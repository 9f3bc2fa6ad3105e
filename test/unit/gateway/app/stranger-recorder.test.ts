import assert from 'node:assert/strict';
import { PlumblineError } from '#core/errors.ts';
import { StrangerRecorder } from '#gateway/app/stranger-recorder.ts';

describe('the record of those who are no worker', () => {
  it('stands before any of those that it speaks of is answered, and none is when it cannot', async () => {
    const answered: string[] = [];
    const writing: { done(): void; failed(why: Error): void }[] = [];
    const append = () =>
      new Promise<{ sequence: number; hash: string }>((done, failed) => {
        writing.push({ done: () => done({ sequence: 1, hash: '' }), failed });
      });
    const recorder = new StrangerRecorder({ append }, { now: () => 1 });
    const ask = async (name: string) => {
      const how = await recorder.rejected('worker-token', { requestId: name, uid: 1 }).then(
        () => 'refused',
        ({ code }: PlumblineError) => code,
      );
      answered.push(`${name} ${how}`);
    };
    const first = [ask('a'), ask('b')];
    await new Promise(setImmediate);
    assert.deepEqual([answered, writing.length], [[], 1]);
    writing[0]?.failed(new PlumblineError('ERR_AUDIT_UNAVAILABLE', 'the disk is full'));
    await Promise.all(first);
    assert.deepEqual(answered.sort(), ['a ERR_AUDIT_UNAVAILABLE', 'b ERR_AUDIT_UNAVAILABLE']);
    const second = [ask('c'), ask('d')];
    writing[1]?.done();
    await Promise.all([...second, ask('e')]);
    assert.deepEqual([answered.slice(2).sort(), writing.length], [['c refused', 'd refused', 'e refused'], 2]);
  });
});
