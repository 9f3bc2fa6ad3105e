import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Writable } from 'node:stream';
import fc from 'fast-check';
import { LineGate } from '#host/line-gate.ts';

function gateInto() {
  const parts: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      parts.push(String(chunk));
      done();
    },
  });
  const gate = new LineGate(stream);
  const prints = (text: string) => new Promise<void>((done) => gate.program.write(text, () => done()));
  return { gate, prints, written: () => parts.join('') };
}

describe('a line of the step', () => {
  it('goes out at once when no line of the program is open', async () => {
    const { gate, prints, written } = gateInto();
    gate.write('ours\n');
    await prints('theirs\n');
    gate.write('ours again\n');
    assert.equal(written(), 'ours\ntheirs\nours again\n');
  });

  it('waits for the end of a line that the program has begun', async () => {
    const { gate, prints, written } = gateInto();
    await prints('sec');
    gate.write('##vso[task.setprogress value=1;]\n');
    assert.equal(written(), 'sec');
    await prints('ret\nnext');
    assert.equal(written(), 'secret\n##vso[task.setprogress value=1;]\nnext');
  });

  it('ends a line that stays open, when it is flushed', async () => {
    const { gate, prints, written } = gateInto();
    await prints('50 %\r');
    gate.write('ours\n');
    gate.flush();
    assert.equal(written(), '50 %\r\nours\n');
    gate.flush();
    assert.equal(written(), '50 %\r\nours\n');
  });

  it('never cuts a line of the program in two, however it comes', async () => {
    const part = fc.oneof(
      fc.record({ own: fc.constant(true), text: fc.constantFrom('<one>\n', '<two>\n') }),
      fc.record({ own: fc.constant(false), text: fc.stringMatching(/^[a-z\n]{0,6}$/) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 40 }), async (parts) => {
        const { gate, prints, written } = gateInto();
        for (const { own, text } of parts) own ? gate.write(text) : await prints(text);
        await prints('\n');
        gate.flush();
        const theirs = parts.filter(({ own }) => !own).map(({ text }) => text);
        const ours = parts.filter(({ own }) => own).map(({ text }) => text);
        assert.equal(written().replace(/^<\w+>\n/gm, ''), `${theirs.join('')}\n`);
        assert.deepEqual(written().match(/^<\w+>\n/gm) ?? [], ours);
      }),
    );
  });

  it('does not keep the program from being slowed down by a slow reader', async () => {
    let release = () => {};
    const slow = new Writable({
      write: (_chunk, _encoding, done) => {
        release = done;
      },
    });
    const { program } = new LineGate(slow);
    program.write('x'.repeat(100_000));
    assert.equal(program.write('y'.repeat(100_000)), false);
    const drained = once(program, 'drain');
    release();
    release();
    await drained;
  });
});
