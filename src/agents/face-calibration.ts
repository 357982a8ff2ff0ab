/**
 * `npm run face-calibration -- <directory>`: how the face model does on a city's own pictures, `<person>/<photo>.jpg` or
 * `.bmp`, before a threshold is set. They are read and described in memory; nothing of them is kept or sent.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { AppError } from '../errors.ts'
import { distancesOf, reportOf } from './terminal/face/calibration.ts'
import { facePackages, knownFiles } from './terminal/face/packages.ts'
import { openPictureReader, withMargin } from './terminal/face/pictures.ts'
import { openModel } from './terminal/face/sandbox.ts'

const usage = 'npm run face-calibration -- <directory>, where each folder is a person and holds photos, .jpg or .bmp'
/** Narrower pictures are photos of cards, which get a margin as at a terminal. */
const cardWidth = 200
const inputSize = 224

async function main(directory: string): Promise<void> {
  const model = openModel(knownFiles(facePackages()))
  const read = await openPictureReader()
  const counts = { pictures: 0, unreadable: 0, faceless: 0 }

  const describe = (file: string): readonly Float32Array[] => {
    counts.pictures += 1
    const picture = read(readFileSync(file))
    if (!picture) return ((counts.unreadable += 1), [])
    try {
      const found = model.find(picture.width < cardWidth ? withMargin(picture) : picture, inputSize)
      if (found.faces === 1) return [model.describe()]
      return ((counts.faceless += 1), [])
    } finally {
      model.forget()
    }
  }
  const folders = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  const people = folders.map(({ name }) =>
    readdirSync(join(directory, name))
      .filter((photo) => /\.(jpe?g|bmp)$/i.test(photo))
      .flatMap((photo) => describe(join(directory, name, photo))),
  )
  const { pictures, unreadable, faceless } = counts
  const lines = [
    `${people.length} people, ${pictures} pictures; ${unreadable} could not be read, ${faceless} without exactly one face`,
    ...reportOf(distancesOf(people)),
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
}

const [directory] = process.argv.slice(2)
if (directory === undefined) {
  process.stderr.write(`${usage}\n`)
  process.exitCode = 2
} else
  await main(directory).catch((error: unknown) => {
    process.stderr.write(`${error instanceof AppError ? error.message : String(error)}\n${usage}\n`)
    process.exitCode = 1
  })
