import assert from 'node:assert/strict';
import { RemoteRunMarks } from '#steps/remote-run-marks.ts';
import { recordingHost } from '../../support/recording-host.ts';

describe('what the end of the job stops at a gateway', () => {
  const host = (jobStatus = 'Failed') => recordingHost({ variables: { 'Agent.JobStatus': jobStatus } });

  it('is nothing when the step was killed and nobody had cancelled it: the next attempt takes the run over', () => {
    const step = host();
    new RemoteRunMarks(step.memory).waiting('key', new AbortController().signal);
    assert.equal(RemoteRunMarks.toStop(step), undefined);
  });

  it('is the run of a step that was asked to stop and did not come to it', () => {
    const step = host();
    const cancel = new AbortController();
    new RemoteRunMarks(step.memory).waiting('key', cancel.signal);
    cancel.abort();
    assert.equal(RemoteRunMarks.toStop(step), 'key');
  });

  it('is the run of a step that no signal reached, as in a container, when the job was cancelled', () => {
    const step = host('Canceled');
    new RemoteRunMarks(step.memory).waiting('key', new AbortController().signal);
    assert.equal(RemoteRunMarks.toStop(step), 'key');
  });

  it('is nothing once the run has ended, was stopped, or was left with wait: false', () => {
    const step = host('Canceled');
    const marks = new RemoteRunMarks(step.memory);
    marks.waiting('key', AbortSignal.abort());
    marks.done();
    assert.equal(RemoteRunMarks.toStop(step), undefined);
  });
});
