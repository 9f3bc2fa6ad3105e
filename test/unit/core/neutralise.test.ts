import assert from 'node:assert/strict';
import fc from 'fast-check';
import { MarkerScanner } from '#core/marker-scanner.ts';
import { neutralise, neutraliseJson } from '#core/neutralise.ts';
import { NeutraliseStream, neutraliseBytes } from '#core/neutralise-stream.ts';
import {
  checkNeutralised,
  hasMarker,
  hostileMarkers as hostile,
  hostileBytes,
  inChunks,
} from '../../support/hostile-output.ts';

describe('neutralise', () => {
  for (const [given, expected] of [
    ['##vso[task.setvariable variable=a]b', '##vs o[task.setvariable variable=a]b'],
    ['in the middle ##[error] of a line', 'in the middle ## [error] of a line'],
    ['##VsO[x', '##Vs O[x'],
    ['#####[banner', '##### [banner'],
    ['##v\rso\0[', '##v\rs o\0['],
    ['##[##vso[', '## [##vs o['],
    ['#\u00ad#[', '#\u00ad# ['],
  ] as const) {
    it(`makes ${JSON.stringify(given)} harmless`, () => {
      assert.equal(neutralise(given), expected);
      assert.equal(neutraliseBytes(Buffer.from(given), new MarkerScanner()).toString(), expected);
    });
  }

  for (const text of ['########\n[2026-11-21] start', '## vso[', '# Title [link]', '##vs[', 'a # b [c]', '##é[', '']) {
    it(`leaves ${JSON.stringify(text)} alone`, () => assert.equal(neutralise(text), text));
  }

  it('leaves no reader a marker in any text', () => {
    fc.assert(
      fc.property(hostile, (text) => !hasMarker(neutralise(text))),
      { numRuns: 3_000 },
    );
  });

  it('changes nothing but by spaces, and nothing at all without a marker', () => {
    fc.assert(
      fc.property(fc.oneof(hostile, fc.string({ unit: 'binary' })), (text) => {
        const safe = neutralise(text);
        assert.equal(safe.replaceAll(' ', ''), text.replaceAll(' ', ''));
        if (!hasMarker(text)) assert.equal(safe, text);
      }),
      { numRuns: 3_000 },
    );
  });

  it('changes a safe text no more', () => {
    fc.assert(fc.property(hostile, (text) => neutralise(neutralise(text)) === neutralise(text)));
  });
});

describe('neutralised bytes', () => {
  it('leave no reader a marker, whatever the bytes and the chunks', () => {
    fc.assert(
      fc.property(hostileBytes, fc.array(fc.nat(200)), (bytes, cuts) => {
        checkNeutralised(bytes, cuts);
      }),
      { numRuns: 5_000 },
    );
  });

  for (const between of ['f88082a0', 'f08082a0', 'e082a0', 'c1bf', 'eda080', 'f5808080', 'ff', '80']) {
    it(`have no marker around ${between}, which is no character and may be dropped`, () => {
      const safe = inChunks(Buffer.from(`2323${between}5b`, 'hex'), []);
      assert.equal(safe.toString('hex'), `2323${between}205b`);
    });
  }

  it('are the same in any chunks, and as the text is', () => {
    fc.assert(
      fc.property(hostile, fc.array(fc.nat(200)), (text, cuts) => {
        assert.equal(inChunks(Buffer.from(text), cuts).toString(), neutralise(text));
      }),
      { numRuns: 3_000 },
    );
  });

  it('pass on other bytes untouched', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.array(fc.nat(300)), (raw, cuts) => {
        const bytes = Buffer.from(raw);
        if (!bytes.includes('#')) assert.deepEqual(inChunks(bytes, cuts), bytes);
      }),
    );
    const bytes = Buffer.from([0x80, 0xff, 0x23, 0x23, 0xc3, 0xa9, 0x5b, 0xfe]);
    assert.deepEqual(inChunks(bytes, [3, 4, 5, 6]), bytes);
  });

  it('come out of the stream at once, also without the end of a line', () => {
    const stream = new NeutraliseStream();
    stream.write('50 %\r##vs');
    assert.equal(String(stream.read()), '50 %\r##vs');
    stream.write('o[x');
    assert.equal(String(stream.read()), ' o[x');
  });
});

describe('neutralised JSON', () => {
  it('is the same value, and no reader finds a marker in it', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(hostile, fc.string({ unit: 'binary' }))), (texts) => {
        const json = neutraliseJson(JSON.stringify(texts));
        assert.deepEqual(JSON.parse(json), texts);
        assert(!hasMarker(json));
      }),
      { numRuns: 2_000 },
    );
  });
});
