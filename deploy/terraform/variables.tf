variable "name" {
  description = "What everything is called: the queue, the service, the database."
  type        = string
  default     = "logins"
}

variable "image" {
  description = "The image that image/Dockerfile makes, with its digest."
  type        = string
}

variable "vpc_id" {
  description = "The VPC of the service and the database."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets of two zones at least, with a way to SQS, Secrets Manager, KMS, ECR and CloudWatch Logs."
  type        = list(string)
}

variable "tasks" {
  description = "How many tasks there may be."
  type        = object({ min = number, max = number })
  default     = { min = 1, max = 10 }

  validation {
    condition     = var.tasks.min >= 1 && var.tasks.max >= var.tasks.min
    error_message = "tasks.min is 1 or more, as a backlog per task takes a task, and tasks.max is not less."
  }
}

variable "backlog_per_task" {
  description = "Messages that may wait for each task before there is another one."
  type        = number
  default     = 1000000
}

variable "oldest_seconds" {
  description = "How old the oldest message may be before somebody is told."
  type        = number
  default     = 900
}

variable "alarm_topics" {
  description = "SNS topics that alarms are sent to."
  type        = list(string)
  default     = []
}

variable "database" {
  description = "The PostgreSQL of RDS."
  type = object({
    instance_class = string
    gigabytes      = number
    name           = string
  })
  default = { instance_class = "db.m7g.large", gigabytes = 100, name = "events" }
}
