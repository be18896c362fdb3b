import { defineConfig } from 'vitest/config'

// Native addons crash under worker threads that are torn down while a call is running: use processes.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
})
