#!/usr/bin/env -S MALLOC_TRIM_THRESHOLD_=1099511627776 MALLOC_MMAP_THRESHOLD_=33554432 node
// npm links this file as `embed-kd`. It is not built, because npm makes a file executable only if it exists at installation.
// The variables keep glibc's heap between steps (trial/run-job.ts says why), for the commands that train in their own process.
import '../dist/cli.js'
