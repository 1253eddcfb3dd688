import type { EntryPoint } from './images.ts';
import { END_OF_OPTIONS } from './names.ts';

/** What a container says about its program, and its image's words if they were needed. Absent means undefined. */
export interface Original {
  readonly command: readonly string[] | undefined;
  readonly args: readonly string[] | undefined;
  /** ENTRYPOINT and CMD that were used for an absent command. */
  readonly image?: ImageWords;
}

/** As they have to be written in a manifest. */
export interface ImageWords extends EntryPoint {
  /** The image that a registry returned them for; absent if they come from the policy. */
  readonly of?: string;
}

export interface Wrapped {
  readonly command: readonly string[];
  readonly args: readonly string[];
}

/**
 * Puts vault-env in front of a program, as the kubelet would have started it: `command` replaces ENTRYPOINT and CMD,
 * `args` replaces CMD (kubernetes.io/docs/tasks/inject-data-application/define-command-argument-container). A command
 * that is this very executable, written by hand, is not wrapped again. Returns undefined if there is no program: no
 * command and no known entrypoint.
 */
export function wrap(original: Original, executable: string): Wrapped | undefined {
  const program = programOf(original, executable);
  return program.length > 0 ? { command: [executable], args: [END_OF_OPTIONS, ...program] } : undefined;
}

function programOf({ command, args, image }: Original, executable: string): readonly string[] {
  if (command === undefined) return image === undefined ? [] : [...image.entrypoint, ...(args ?? image.cmd)];
  const program = args === undefined ? command : [...command, ...args];
  if (program[0] !== executable) return program;
  return program.slice(program[1] === END_OF_OPTIONS ? 2 : 1);
}

/** The same for an exec probe or hook, which has no args; returns the command itself if it is already wrapped. */
export function wrapExec(command: readonly string[], executable: string): readonly string[] {
  return command[0] === executable ? command : [executable, END_OF_OPTIONS, ...command];
}
