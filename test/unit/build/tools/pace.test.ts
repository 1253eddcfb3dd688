import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { inMinutes, Pace, progress } from '../../../../build/tools/pace.ts';
import { allTools, demoTools, minutesToBuild, nodeTools } from '../../../../build/tools/table.ts';

describe('the pace of builds', () => {
  it('is that of the table before anything has been built', () => {
    expect(new Pace().of(390)).to.equal(390);
  });

  it('follows the tools that were built: slower here, so the next ones are expected to take longer', () => {
    const pace = new Pace();
    pace.saw(170, 400);
    pace.saw(390, 900);
    expect(pace.of(470)).to.be.within(900, 1100);
  });

  it('is hardly changed by a small tool', () => {
    const pace = new Pace();
    pace.saw(5, 15);
    expect(pace.of(390)).to.be.within(390, 460);
  });

  it('gets faster, too', () => {
    const pace = new Pace();
    pace.saw(390, 60);
    expect(pace.of(100)).to.be.within(20, 40);
  });
});

describe('a progress line', () => {
  it('says how far a build is', () => {
    expect(progress(120, 180)).to.equal('120 s of about 180 s');
  });

  it('never says "600 s of about 180 s"', () => {
    expect(progress(600, 180)).to.equal('600 s, expected about 180 s: it takes longer on this machine');
  });

  it('gives minutes where seconds say little', () => {
    expect([inMinutes(70), inMinutes(119.6), inMinutes(840), inMinutes(841)]).to.deep.equal([
      '70 s',
      '120 s',
      '14 minutes',
      '15 minutes',
    ]);
  });
});

describe('what is said about the time of the first build', () => {
  const read = (name: string): string =>
    readFileSync(new URL(`../../../../${name}`, import.meta.url), 'utf8').replaceAll(/\s+/g, ' ');
  const demo = minutesToBuild(demoTools);
  const all = minutesToBuild(allTools);

  it('is what was measured for the demo: 25 minutes on a quiet machine, 44 on a busy one', () => {
    expect(demo).to.deep.equal({ quiet: 25, busy: 44 });
  });

  it('is the same in README.md, for the demo', () => {
    expect(read('README.md')).to.contain(`about ${demo.quiet} minutes on two cores, ${demo.busy} on a busy machine`);
  });

  it('is the same in the list of make targets', () => {
    expect(read('Makefile')).to.contain(`else the pinned tools (built once: ${demo.quiet} minutes)`);
    expect(read('Makefile')).to.contain(`(${all.quiet} minutes the first time)`);
  });

  it('is the same in CONTRIBUTING.md, for all tools', () => {
    expect(read('CONTRIBUTING.md')).to.contain(`about ${all.quiet} minutes on two cores`);
  });

  it('names as tools of the node only tools of the demo', () => {
    expect(demoTools).to.include.members([...nodeTools]);
  });
});
