import { defineConfig } from 'vitest/config'

// Native addons crash under worker threads that are torn down while a call is running: use processes.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Messages do not depend on the locale of whoever runs the tests.
    env: { KOGRPO_LANG: 'en' },
  },
})
