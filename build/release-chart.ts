/**
 * The chart as a release pushes it: images by digest, so that nobody can move a tag, and what Artifact Hub shows
 * (artifacthub.io/docs/topics/annotations/helm). The chart in config/ has neither: both are known only when the images
 * are built.
 *
 *     node build/release-chart.ts FOLDER     copies config/chart there; reads dist/images/images.json and CHANGELOG.md
 */
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseDocument, stringify } from 'yaml';

import { notesFor } from './changelog.ts';
import { releaseFacts } from './release-facts.ts';

const root = join(import.meta.dirname, '..');

/** An entry of dist/images/images.json. */
export interface ReleasedImage {
  /** With registry and tag. */
  readonly name: string;
  readonly digest: string;
  readonly archive: string;
  /** Digests by platform, such as linux/amd64. */
  readonly platforms: Readonly<Record<string, string>>;
}

export interface Change {
  /** What Artifact Hub calls the sections of keepachangelog.com: added, changed, deprecated, removed, fixed, security. */
  readonly kind: string;
  readonly description: string;
}

/** Where the chart names an image, by the archive that the image is in. */
const IMAGE_VALUES: readonly (readonly [archive: string, path: readonly string[]])[] = [
  ['vault-injection-operator.tar', ['image']],
  ['vault-env.tar', ['injector', 'image']],
];

/**
 * Writes the chart into a folder that does not exist yet. `notes` is what the changelog says of this version, `source`
 * the address of the repository, if there is one. Throws, and writes nothing, if an image is missing or is not of this
 * version.
 */
export function releaseChart(
  folder: string,
  images: readonly ReleasedImage[],
  { notes, source }: { readonly notes: string; readonly source?: string | undefined },
): void {
  const { version } = releaseFacts(root, {});
  const used = IMAGE_VALUES.map(([archive, path]) => ({ path, image: imageOf(archive, images, version) }));
  if (existsSync(folder)) throw new Error(`${folder} exists already: remove it, or name another folder`);
  cpSync(join(root, 'config/chart'), folder, { recursive: true });
  for (const file of ['LICENSE', 'NOTICE']) cpSync(join(root, file), join(folder, file));

  const values = readFileSync(join(folder, 'values.yaml'), 'utf8');
  writeFileSync(join(folder, 'values.yaml'), used.reduce(withImage, values));

  const chart = parseDocument(readFileSync(join(folder, 'Chart.yaml'), 'utf8'));
  if (source !== undefined) chart.set('sources', [source]);
  chart.set(
    'annotations',
    annotationsOf(
      used.map(({ image }) => image),
      notes,
      version,
      source,
    ),
  );
  writeFileSync(join(folder, 'Chart.yaml'), chart.toString({ lineWidth: 0 }));
}

/** Returns the changes in the notes of a version. A list in a list belongs to the change above it. */
export function changesIn(notes: string): readonly Change[] {
  return notes
    .split(/^### /m)
    .slice(1)
    .flatMap((section) => {
      const [heading = '', ...lines] = section.split('\n');
      const items = lines.join('\n').split(/^- /m).slice(1);
      return items.map((item) => ({
        kind: heading.trim().toLowerCase(),
        description: item.trim().replace(/\s*\n\s*/g, ' '),
      }));
    });
}

function imageOf(archive: string, images: readonly ReleasedImage[], version: string): ReleasedImage {
  const image = images.find((one) => one.archive === archive);
  if (image === undefined) throw new Error(`there is no image ${archive}: make images`);
  if (!image.name.endsWith(`:${version}`)) throw new Error(`${image.name} is not of version ${version}: make images`);
  return image;
}

/** In the text, so that the reasons beside the values and their layout stay as they are. */
function withImage(
  text: string,
  { path, image }: { readonly path: readonly string[]; readonly image: ReleasedImage },
): string {
  const fields = { registry: '', repository: repositoryOf(image), digest: image.digest };
  return Object.entries(fields).reduce((before, [field, value]) => {
    const node = parseDocument(before, { keepSourceTokens: true }).getIn([...path, field], true) as
      { readonly range: readonly [number, number, number] } | undefined;
    if (node === undefined) throw new Error(`config/chart/values.yaml has no ${[...path, field].join('.')}`);
    return `${before.slice(0, node.range[0])}'${value}'${before.slice(node.range[1])}`;
  }, text);
}

function repositoryOf({ name }: ReleasedImage): string {
  return name.replace(/:[^:/]*$/, '');
}

/** What a ClusterServiceVersion and Artifact Hub both want to know is told in one place: the first (build/generate/olm.ts). */
interface ServiceVersion {
  readonly metadata: { readonly annotations: Readonly<Record<'capabilities' | 'alm-examples', string>> };
  readonly spec: {
    readonly customresourcedefinitions: { readonly owned: readonly Readonly<Record<string, string>>[] };
  };
}

function annotationsOf(
  images: readonly ReleasedImage[],
  notes: string,
  version: string,
  source: string | undefined,
): Readonly<Record<string, string>> {
  const file = join(root, 'bundle/manifests/vault-injection-operator.clusterserviceversion.yaml');
  const { metadata, spec } = parse(readFileSync(file, 'utf8')) as ServiceVersion;
  const changes = changesIn(notes);
  const said = {
    category: 'security',
    license: 'Apache-2.0',
    operator: 'true',
    operatorCapabilities: metadata.annotations.capabilities,
    prerelease: String(version.includes('-')),
    containsSecurityUpdates: String(changes.some(({ kind }) => kind === 'security')),
    changes: stringify(changes),
    images: stringify(
      images.map((image) => ({
        name: repositoryOf(image).replace(/^.*\//, ''),
        image: `${repositoryOf(image)}@${image.digest}`,
        platforms: Object.keys(image.platforms),
      })),
    ),
    crds: stringify(spec.customresourcedefinitions.owned),
    crdsExamples: stringify(JSON.parse(metadata.annotations['alm-examples'])),
    links: source === undefined ? undefined : stringify(linksTo(source, version)),
  };
  return Object.fromEntries(
    Object.entries(said).flatMap(([name, value]) => (value === undefined ? [] : [[`artifacthub.io/${name}`, value]])),
  );
}

function linksTo(source: string, version: string): readonly { readonly name: string; readonly url: string }[] {
  const at = (file: string): string => `${source}/blob/v${version}/${file}`;
  return [
    { name: 'source', url: source },
    { name: 'getting started', url: at('docs/getting-started.md') },
    { name: 'install for production', url: at('docs/guides/install.md') },
    { name: 'security', url: at('SECURITY.md') },
  ];
}

if (import.meta.main) {
  const [folder] = process.argv.slice(2);
  try {
    if (folder === undefined) throw new Error('write the folder for the chart: node build/release-chart.ts FOLDER');
    const { version, source } = releaseFacts(root, process.env);
    const list = join(root, 'dist/images/images.json');
    if (!existsSync(list)) throw new Error('there are no images yet: make images');
    const images = JSON.parse(readFileSync(list, 'utf8')) as readonly ReleasedImage[];
    releaseChart(folder, images, {
      notes: notesFor(version, readFileSync(join(root, 'CHANGELOG.md'), 'utf8')),
      source,
    });
    console.log(`${folder}: helm package ${folder}`);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
