/**
 * A back end as a module in our process: a package, or a file whose path begins with a dot or a slash, whose default
 * export makes it. Such code is trusted as much as ours: nothing keeps it from what this process can do.
 */
import { isAbsolute, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { OwnVerifier } from '#src/config/own.ts'
import { AppError } from '#src/errors.ts'
import type { Json } from '#src/storage/storage.ts'
import type { Verifier } from '../verifier.ts'
import type { BackEnd } from './declared.ts'

/** What a module exports as default; the claim it is asked with has the challenge's name for the attempt's. */
export type CreateVerifier = (
  options: Readonly<Record<string, Json>>,
  declared: {
    /** The name of the verifier, which its evidence says. */
    readonly name: string
    readonly settings: Readonly<OwnVerifier>
  },
) => Pick<Verifier, 'begin' | 'finish'> | Promise<Pick<Verifier, 'begin' | 'finish'>>

type Settings = Readonly<Record<string, OwnVerifier>>

const isFile = (path: string) => path.startsWith('.') || isAbsolute(path)

async function load(name: string, settings: OwnVerifier & { readonly kind: 'module' }): Promise<BackEnd> {
  const { path, options } = settings
  const refuse = (detail: string, cause?: unknown) =>
    new AppError('config_invalid', { detail: `verifiers.own.${name}.path: ${path} ${detail}`, cause })
  let exported: { readonly default?: unknown }
  try {
    exported = (await import(isFile(path) ? pathToFileURL(resolve(path)).href : path)) as typeof exported
  } catch (cause) {
    throw refuse(`cannot be loaded: ${(cause as Error).message}`, cause)
  }
  if (typeof exported.default !== 'function') throw refuse('has no function as its default export')
  let made: Partial<BackEnd> | null
  try {
    made = (await (exported.default as CreateVerifier)(options as Readonly<Record<string, Json>>, {
      name,
      settings,
    })) as Partial<BackEnd> | null
  } catch (cause) {
    throw refuse(`did not make a verifier: ${(cause as Error).message}`, cause)
  }
  if (typeof made?.begin !== 'function' || typeof made.finish !== 'function')
    throw refuse('made what has no begin and finish')
  return made as BackEnd
}

/** Loads those of the settings that are modules. @throws AppError `config_invalid` naming the setting and the fault */
export async function loadModules(own: Settings): Promise<ReadonlyMap<string, BackEnd>> {
  const modules = new Map<string, BackEnd>()
  for (const [name, settings] of Object.entries(own))
    if (settings.kind === 'module') modules.set(name, await load(name, settings))
  return modules
}
