resource "aws_ecs_cluster" "sluice" {
  name = "sluice-${var.name}"

  # RunningTaskCount, which the scaling divides by.
  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_cloudwatch_log_group" "sluice" {
  name              = "/sluice/${var.name}"
  retention_in_days = 30
}

resource "aws_security_group" "sluice" {
  name        = "${var.name}-sluice"
  description = "sluice: nobody comes in"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_egress_rule" "aws" {
  security_group_id = aws_security_group.sluice.id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "database" {
  security_group_id            = aws_security_group.sluice.id
  referenced_security_group_id = aws_security_group.database.id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

resource "aws_ecs_task_definition" "sluice" {
  family                   = "sluice-${var.name}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 1024
  memory                   = 2048
  task_role_arn            = aws_iam_role.sluice.arn
  execution_role_arn       = aws_iam_role.start.arn

  container_definitions = jsonencode([{
    name                   = "sluice"
    image                  = var.image
    essential              = true
    command                = ["run", "-c", "/etc/sluice/sluice.yaml"]
    user                   = "65532"
    readonlyRootFilesystem = true
    linuxParameters        = { capabilities = { drop = ["ALL"] } }
    # SIGTERM finishes or hands back what is held.
    stopTimeout = 30
    healthCheck = { command = ["CMD", "sluice-health"], interval = 10, timeout = 3, startPeriod = 5 }

    environment = [
      { name = "QUEUE_ARN", value = aws_sqs_queue.events.arn },
      { name = "BAD_QUEUE_URL", value = aws_sqs_queue.bad.url },
      { name = "KEYS_ARN", value = aws_secretsmanager_secret.keys.arn },
      { name = "LOGIN_ARN", value = aws_secretsmanager_secret.login.arn },
      { name = "DATABASE_HOST", value = aws_db_instance.events.address },
      { name = "DATABASE_NAME", value = aws_db_instance.events.db_name },
    ]

    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.sluice.name
        awslogs-region        = data.aws_region.here.region
        awslogs-stream-prefix = "sluice"
      }
    }
  }])
}

resource "aws_ecs_service" "sluice" {
  name            = "sluice"
  cluster         = aws_ecs_cluster.sluice.id
  task_definition = aws_ecs_task_definition.sluice.arn
  launch_type     = "FARGATE"
  desired_count   = var.tasks.min

  # Old and new may run side by side.
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets         = var.subnet_ids
    security_groups = [aws_security_group.sluice.id]
  }

  # The scaling's.
  lifecycle {
    ignore_changes = [desired_count]
  }
}
