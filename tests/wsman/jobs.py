"""Jobs of Hyper-V: a change takes its time, is seen in Msvm_ConcreteJob, and is done when the job ends."""

import uuid

import schema
from cim import Path, make

NEW, STARTING, RUNNING, COMPLETED, EXCEPTION = 2, 3, 4, 7, 10


class JobError(Exception):
    """Why a job ended as an exception: ErrorCode and ErrorDescription."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code, self.text = code, text


class Job:
    def __init__(self, name, started, seconds, work):
        self.id = str(uuid.uuid4()).upper()
        self.name, self.started, self.ends, self.work = name, started, started + seconds, work
        self.state, self.error = NEW, None

    def path(self):
        return Path(schema.V2, "Msvm_ConcreteJob", (("InstanceID", self.id),))

    def finish(self):
        try:
            self.work()
            self.state = COMPLETED
        except JobError as error:
            self.state, self.error = EXCEPTION, error

    def instance(self, now):
        done = self.state in (COMPLETED, EXCEPTION)
        share = 1 if done else min(0.99, (now - self.started) / max(self.ends - self.started, 1e-9))
        state = self.state if done else NEW if share < 0.1 else STARTING if share < 0.2 else RUNNING
        failed = dict(ErrorCode=self.error.code, ErrorDescription=f"{self.name}. {self.error.text}",
                      ErrorSummaryDescription=self.error.text) if self.error else {}
        return make(schema.V2, "Msvm_ConcreteJob", InstanceID=self.id, Name=self.name, Caption=self.name, JobState=state,
                    PercentComplete=int(share * 100), JobStatus=("Exception" if self.error else "OK"), Cancellable=False,
                    JobType=0, DeleteOnCompletion=True, **{"ErrorCode": 0, **failed})


class Jobs:
    """`seconds`: how long one takes; `kept`: how long an ended one can still be read. Time is an argument, in seconds."""

    def __init__(self, seconds, kept):
        self.seconds, self.kept, self.all = seconds, kept, {}
        self.held, self.fail_next = False, False  # As orders say.

    def start(self, name, work, now, seconds=None):
        job = Job(name, now, self.seconds if seconds is None else seconds, work)
        self.all[job.id] = job
        return job

    def advance(self, now):
        """Ends the jobs whose time has come, in the order of their ends, and forgets old ones."""
        due = [one for one in self.all.values() if one.state == NEW and one.ends <= now and not self.held]
        for job in sorted(due, key=lambda one: one.ends):
            if self.fail_next:
                job.state, job.error, self.fail_next = EXCEPTION, JobError(32768, "As an order says."), False
            else:
                job.finish()
        self.all = {one.id: one for one in self.all.values() if one.state == NEW or one.ends + self.kept > now}

    def instances(self, now):
        return [one.instance(now) for one in self.all.values()]
