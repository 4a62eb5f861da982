#!/usr/bin/env -S MALLOC_TRIM_THRESHOLD_=1099511627776 MALLOC_MMAP_THRESHOLD_=33554432 node
// What npm links as `embed-kd`. It is here, executable, before anything is built: npm sets no permissions on what is built later.
// The variables keep glibc's heap between steps (trial/run-job.ts says why), for the commands that train in their own process.
import '../dist/cli.js'
