import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

const ROOT = join(import.meta.dirname, '../../..');

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}

interface Job {
  readonly permissions?: Readonly<Record<string, string>>;
  readonly 'timeout-minutes'?: number;
  readonly needs?: string;
  readonly strategy?: { readonly matrix: Readonly<Record<string, unknown>> };
  readonly steps: readonly Step[];
}

interface Workflow {
  readonly on: Readonly<Record<string, unknown>>;
  readonly permissions?: object;
  readonly jobs: Readonly<Record<string, Job>>;
}

const WORKFLOWS = globSync('.github/workflows/*', { cwd: ROOT }).sort();
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
const TARGETS = new Set(Array.from(read('Makefile').matchAll(/^([a-z-]+):/gm), ([, target = '']) => target));

/** The commands of a step, once for each value of the job's matrix. */
function commandsOf({ strategy }: Job, { run = '' }: Step): readonly string[] {
  const values = Object.entries(strategy?.matrix ?? {}).flatMap(([name, list]) =>
    Array.isArray(list) ? list.map((value) => [name, String(value)] as const) : [],
  );
  const expanded = values.map(([name, value]) => run.replaceAll(`\${{ matrix.${name} }}`, value));
  return expanded.length > 0 ? expanded : [run];
}

describe('the workflows of continuous integration', () => {
  it('are these', () => {
    expect(WORKFLOWS.map((file) => file.replace('.github/workflows/', ''))).to.deep.equal([
      'nightly.yml',
      'release.yml',
      'security.yml',
      'test.yml',
    ]);
  });

  for (const file of WORKFLOWS) {
    const workflow = parse(read(file)) as Workflow;
    const jobs = Object.entries(workflow.jobs);
    const steps = jobs.flatMap(([, job]) => job.steps.map((step) => ({ job, step })));

    describe(file, () => {
      it('gives no job more than it names, and each a time limit', () => {
        expect(workflow.permissions).to.deep.equal({});
        for (const [name, job] of jobs) {
          expect(job.permissions, name).to.be.an('object');
          expect(job['timeout-minutes'], name).to.be.a('number');
        }
      });

      it('may write only in a release, but for what code scanning found', () => {
        if (file.endsWith('release.yml')) return;
        for (const [name, { permissions = {} }] of jobs) {
          const writes = Object.entries(permissions).filter(([, access]) => access === 'write');
          expect(
            writes.map(([right]) => right).filter((right) => right !== 'security-events'),
            name,
          ).to.deep.equal([]);
        }
      });

      it('names a version of every action, and leaves no credentials in a checkout', () => {
        for (const { step } of steps.filter(({ step: { uses } }) => uses !== undefined)) {
          expect(step.uses).to.match(/^[\w-]+\/[\w/-]+@(?:v\d+(?:\.\d+)*|[0-9a-f]{40})$/);
          if (step.uses?.startsWith('actions/checkout@')) expect(step.with?.['persist-credentials']).to.equal(false);
        }
      });

      it('runs only make targets and files that exist', () => {
        for (const { job, step } of steps) {
          for (const command of commandsOf(job, step)) {
            for (const [, target = ''] of command.matchAll(/\bmake ([^\s]+)/g)) expect([...TARGETS]).to.include(target);
            for (const [path = ''] of command.matchAll(/(?<![\w/.])(?:\.ci|build|test|config)\/[\w./-]+/g)) {
              // the chart is another branch of work until both are merged
              expect(existsSync(join(ROOT, path)), path).to.be.true;
            }
          }
        }
      });

      it('has scripts that a shell can read, without text from outside in them', () => {
        for (const { job, step } of steps) {
          for (const command of commandsOf(job, step)) {
            execFileSync('sh', ['-n'], { input: command });
            // a title or branch with a quote would be code: values come by env
            expect(command).to.not.include('${{');
          }
        }
      });

      it('waits only for jobs that exist', () => {
        for (const [, { needs }] of jobs) if (needs !== undefined) expect(workflow.jobs).to.have.property(needs);
      });
    });
  }

  it('update themselves, and everything that is pinned but older versions of Kubernetes, which people have', () => {
    const { updates } = parse(read('.github/dependabot.yml')) as {
      updates: { 'package-ecosystem': string; directories?: string[] }[];
    };
    expect(updates.map((one) => one['package-ecosystem'])).to.deep.equal(['npm', 'gomod', 'github-actions']);
    const modules = globSync('{vault-env,test}/**/go.mod', { cwd: ROOT })
      .map((path) => `/${path.replace('/go.mod', '')}`)
      .filter((module) => !module.includes('/kubernetes-1.'));
    const patterns = (updates[1]?.directories ?? []).map((glob) => new RegExp(`^${glob.replaceAll('*', '[^/]+')}$`));
    for (const module of modules)
      expect(
        patterns.some((pattern) => pattern.test(module)),
        module,
      ).to.be.true;
  });
});
