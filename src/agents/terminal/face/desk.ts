/** A terminal's face comparison, put together from its settings; only an agent whose settings have one comes here. */
import { accessSync, constants } from 'node:fs'
import { AppError } from '#src/errors.ts'
import type { Doors } from '../doors.ts'
import { refuse } from '../http.ts'
import type { AgentSettings } from '../settings.ts'
import { startAnalyser } from './analyser.ts'
import { cameraAt } from './camera.ts'
import { photoDecoder } from './card-photo.ts'
import { createComparer, type Comparer } from './comparison.ts'
import { createMirror, type Mirror } from './mirror.ts'
import { facePackages } from './packages.ts'

/** @throws AppError `config_invalid` where the packages, or the program that decodes photos, are not there */
export function faceDesk(
  { camera, photo, threshold, seconds }: NonNullable<AgentSettings['face']>,
  issuer: string,
  doors: Doors,
): { readonly comparer: Comparer; readonly mirror: Mirror } {
  const packages = facePackages()
  try {
    accessSync(photo[0] as string, constants.X_OK)
  } catch (cause) {
    throw new AppError('config_invalid', { detail: `face.photo: ${photo[0]} cannot be run`, cause })
  }
  const comparer = createComparer({
    decode: photoDecoder(photo),
    take: cameraAt(camera),
    start: () => startAnalyser(packages),
    threshold,
    forMs: seconds * 1000,
  })
  return { comparer, mirror: createMirror({ comparer, doors, issuer, refuse }) }
}
