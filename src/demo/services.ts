/**
 * The services outside the city hall that the demo city stands in for: each a simulator of its published shapes under a
 * path of its own, all on one port. None of them is ever loaded in production.
 */
import express, { type Express, type Router } from 'express'
import type { CitySettings } from './city.ts'
import { populationFile } from './cast.ts'
import { createDesk } from './fake-reader/desk.ts'
import type { FakeReader } from './fake-reader/sam.ts'

/** @returns the simulators by the path under which they answer */
function simulators(_settings: CitySettings, cardReader: FakeReader): Readonly<Record<string, Router>> {
  return { 'card-reader': createDesk(cardReader, populationFile) }
}

/** @param sites applications that answer under a path here */
export function demoServices(
  settings: CitySettings,
  cardReader: FakeReader,
  sites: Readonly<Record<string, Express>> = {},
): Express {
  const app = express()
  app.disable('x-powered-by')
  for (const [path, router] of Object.entries({ ...simulators(settings, cardReader), ...sites }))
    app.use(`/${path}`, router)
  return app
}
