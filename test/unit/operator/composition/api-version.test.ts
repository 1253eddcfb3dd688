import { expect } from 'chai';

import { ApiError } from '../../../../kube/object-client.ts';
import { ApiVersion } from '../../../../operator/composition/api-version.ts';
import { OLDEST_MINOR } from '../../../../core/kubernetes-versions.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { testLog, type LogLine } from '../../../support/test-log.ts';

const AWAY = new ApiError(0, 'Unreachable', 'GET /version: connection refused');

describe('the version of the API server', () => {
  interface Scene {
    readonly version: ApiVersion;
    readonly clock: ManualClock;
    /** The next answers; the last one stays. */
    readonly answers: (string | Error)[];
    readonly lines: readonly LogLine[];
    readonly changes: () => number;
    readonly asked: () => number;
  }
  const scenes: Scene[] = [];
  afterEach(() => {
    for (const { version } of scenes.splice(0)) version.stop();
  });

  function started(...answers: (string | Error)[]): Promise<Scene> {
    return startedWith(undefined, ...answers);
  }

  /** @param learned what another request has found before the start */
  async function startedWith(learned: string | undefined, ...answers: (string | Error)[]): Promise<Scene> {
    const { logger, lines } = testLog();
    const clock = new ManualClock();
    let [changes, asked] = [0, 0];
    const document = (): Promise<unknown> => {
      asked += 1;
      const [answer = AWAY] = answers.length > 1 ? answers.splice(0, 1) : answers;
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve({ gitVersion: answer });
    };
    const onChange = (): void => void (changes += 1);
    const version = new ApiVersion({ logger, clock, onChange, clientWithin: () => ({ document }) });
    if (learned !== undefined) version.learn(learned);
    await version.start();
    const scene = { version, clock, answers, lines, changes: () => changes, asked: () => asked };
    scenes.push(scene);
    return scene;
  }

  it('is asked for once where it lacks nothing, and nothing is said', async () => {
    const { version, lines, clock, asked } = await started('v1.37.2');
    await clock.advance(3_600_000);
    expect(version.noImageVolumes).to.equal(undefined);
    expect(lines).to.deep.equal([]);
    expect(asked()).to.equal(1);
  });

  it('is not asked for at the start where another request has found it', async () => {
    const { version, clock, asked, lines, changes } = await startedWith('v1.34.4', 'v1.36.0');
    expect(asked()).to.equal(0);
    expect(version.noImageVolumes).to.contain('v1.34.4');
    expect(lines).to.have.length(1);
    await clock.advance(600_000);
    expect([asked(), changes(), version.noImageVolumes]).to.deep.equal([1, 1, undefined]);
  });

  it('says in the log what an older one lacks, by age', async () => {
    const { lines } = await started('v1.34.4-gke.1');
    expect(lines).to.have.length(1);
    expect(lines[0]).to.deep.include({ level: 'info', message: 'the API server lacks what a newer one has' });
    expect(lines[0]?.fields).to.deep.equal({
      kubernetes: 'v1.34.4-gke.1',
      missing: [
        'before Kubernetes 1.35, policies with delivery ImageVolume get an init container instead',
        'before Kubernetes 1.36, config/marks cannot be installed, so config/guard lets a stolen token write what injection writes',
      ],
    });
  });

  it('says that one is too old, and what to use', async () => {
    const { lines } = await started(`v1.${OLDEST_MINOR - 1}.9`);
    expect(lines).to.have.length(1);
    expect(lines[0]).to.deep.include({
      level: 'error',
      message: `the API server is too old: use Kubernetes 1.${OLDEST_MINOR} or newer`,
    });
    expect((await started(`v1.${OLDEST_MINOR}.0`)).lines.map(({ level }) => level)).to.deep.equal(['info']);
  });

  it('has image volumes from 1.35, and if it says nothing that can be read', async () => {
    for (const text of ['v1.35.0', 'v1.36.1+k3s1', 'v2.0.0', 'unknown'])
      expect((await started(text)).version.noImageVolumes, text).to.equal(undefined);
    for (const text of ['v1.30.14', 'v1.34.4', 'v1.34+'])
      expect((await started(text)).version.noImageVolumes, text).to.equal(
        `Kubernetes ${text} may not have image volumes, which are on since 1.35`,
      );
  });

  it('is asked for again until it is known, which is told', async () => {
    const { version, clock, answers, changes } = await started(AWAY);
    expect(version.noImageVolumes).to.equal(undefined);
    await clock.advance(60_000);
    expect(changes()).to.equal(0);
    answers.push('v1.34.4');
    await clock.advance(60_000);
    expect(version.noImageVolumes).to.contain('v1.34.4');
    expect(changes()).to.equal(1);
  });

  it('changes once while the cluster is upgraded, although its API servers have two versions', async () => {
    const { version, clock, answers, changes, asked } = await started('v1.34.4');
    answers.push('v1.35.0', 'v1.34.4');
    await clock.advance(600_000);
    await clock.advance(600_000);
    await clock.advance(600_000);
    await clock.advance(600_000);
    expect(version.noImageVolumes).to.equal(undefined);
    expect(changes()).to.equal(1);
    expect(asked()).to.equal(3);
  });

  it('is asked for no more when it is stopped', async () => {
    const { version, clock, asked } = await started('v1.30.1');
    version.stop();
    await clock.advance(3_600_000);
    expect(asked()).to.equal(1);
  });
});
