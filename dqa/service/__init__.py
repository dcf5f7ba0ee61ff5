"""The HTTP service. It loads no model code: evaluations run in child processes (:mod:`dqa.service.worker`)."""
