import { expect } from 'chai';

import { isGoing, Restartable } from '../../../kube/restartable.ts';
import { settle } from '../../support/manual-clock.ts';

describe('Restartable', () => {
  let runs: { readonly signal: AbortSignal; readonly end: () => void }[];
  let work: Restartable;

  beforeEach(() => {
    runs = [];
    work = new Restartable((signal) => new Promise((resolve) => runs.push({ signal, end: resolve })));
  });

  it('runs once, however often it is started', async () => {
    expect(work.isStarted).to.equal(false);
    work.start();
    work.start();
    await settle();
    expect(runs).to.have.length(1);
    expect(work.isStarted).to.equal(true);
  });

  it('is stopped when what ran has ended', async () => {
    work.start();
    await settle();
    let isStopped = false;
    const stopping = work.stop().then(() => (isStopped = true));
    await settle();
    expect([runs[0]?.signal.aborted, isStopped, work.isStarted]).to.deep.equal([true, false, false]);
    runs[0]?.end();
    await stopping;
  });

  it('is stopped at once if it was never started', () => work.stop());

  it('runs again only when the previous run has ended', async () => {
    work.start();
    await settle();
    void work.stop();
    work.start();
    await settle();
    expect(runs).to.have.length(1);
    runs[0]?.end();
    await settle();
    expect(runs).to.have.length(2);
    expect(runs[1]?.signal.aborted).to.equal(false);
  });

  it('aborts a run that was stopped before it began', async () => {
    work.start();
    void work.stop();
    await settle();
    expect(runs.map(({ signal }) => isGoing(signal))).to.deep.equal([false]);
  });
});
