import { runTask } from '#host/run-task.ts';
import { stopLeftovers } from '#steps/run-luigi/post-job.ts';

void runTask(stopLeftovers);
