import { expect } from 'chai';

import { versionFindings } from '../../../../operator/check/cluster.ts';
import { NEWEST_TESTED_MINOR, OLDEST_MINOR } from '../../../../core/kubernetes-versions.ts';

describe('what check says of the version of the API server', () => {
  const findings = (gitVersion: string): ReturnType<typeof versionFindings> =>
    versionFindings({ document: () => Promise.resolve({ gitVersion }) }, 'https://api:6443');

  it('is that it answers, where nothing is missing', async () => {
    for (const version of [`v1.${NEWEST_TESTED_MINOR}.2`, 'v1.99.0-eks-1', 'v2.0.0', 'something else'])
      expect(await findings(version)).to.deep.equal([
        { level: 'Ok', message: `Kubernetes ${version} answers at https://api:6443` },
      ]);
  });

  it('is what an older one lacks, each with the version that has it', async () => {
    const [first, ...lacking] = await findings(`v1.${OLDEST_MINOR}.14`);
    expect(first).to.deep.include({ level: 'Ok' });
    expect(lacking.map(({ level }) => level)).to.deep.equal(['Ok', 'Ok', 'Ok', 'Ok']);
    expect(lacking.map(({ message }) => message.split(',')[0])).to.deep.equal([
      'before Kubernetes 1.31',
      'before Kubernetes 1.33',
      'before Kubernetes 1.35',
      'before Kubernetes 1.36',
    ]);
    expect((await findings('v1.35.1')).map(({ message }) => message)).to.deep.equal([
      'Kubernetes v1.35.1 answers at https://api:6443',
      'before Kubernetes 1.36, config/marks cannot be installed, so config/guard lets a stolen token write what injection writes',
    ]);
  });

  it('fails for one that is too old, and says what to use', async () => {
    for (const version of [`v1.${OLDEST_MINOR - 1}.9`, 'v1.27.3-gke.100', '1.9'])
      expect(await findings(version)).to.deep.equal([
        {
          level: 'Failed',
          message: `Kubernetes ${version} answers at https://api:6443, which is too old`,
          hint: `use Kubernetes 1.${OLDEST_MINOR} or newer`,
        },
      ]);
  });
});
