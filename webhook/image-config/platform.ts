/** A platform in the terms of OCI, which are Go's. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  /** Such as v7 for arm; '' if it does not matter. */
  readonly variant: string;
}

// containerd's normalisation (github.com/containerd/platforms): these say the same.
const DEFAULT_VARIANTS: Readonly<Record<string, string>> = { arm64: 'v8', amd64: 'v1' };

/** Parses os/architecture[/variant]; returns undefined for anything else. */
export function parsePlatform(text: string): Platform | undefined {
  const [, os, architecture, variant = ''] = /^([a-z0-9]+)\/([a-z0-9]+)(?:\/([a-z0-9]+))?$/.exec(text) ?? [];
  return os === undefined || architecture === undefined ? undefined : { os, architecture, variant };
}

export function platformName({ os, architecture, variant }: Platform): string {
  return variant === '' ? `${os}/${architecture}` : `${os}/${architecture}/${variant}`;
}

/** Returns the first manifest of an index for the first platform that has any. */
export function chooseManifest<T extends { readonly platform: Platform }>(
  offered: readonly T[],
  platforms: readonly Platform[],
): T | undefined {
  for (const wanted of platforms) {
    const found = offered.find(({ platform }) => serves(platform, wanted));
    if (found !== undefined) return found;
  }
  return undefined;
}

function serves(offered: Platform, wanted: Platform): boolean {
  if (offered.os !== wanted.os || offered.architecture !== wanted.architecture) return false;
  return wanted.variant === '' || variantOf(offered) === variantOf(wanted);
}

function variantOf({ architecture, variant }: Platform): string {
  return variant === '' ? (DEFAULT_VARIANTS[architecture] ?? '') : variant;
}
