data "aws_iam_policy_document" "tasks" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }
  }
}

# What sluice may: docs/security.md, word for word.
resource "aws_iam_role" "sluice" {
  name               = "sluice-${var.name}"
  assume_role_policy = data.aws_iam_policy_document.tasks.json
}

resource "aws_iam_role_policy" "sluice" {
  name = "sluice"
  role = aws_iam_role.sluice.id

  policy = templatefile("${path.module}/policy.json", {
    queue = aws_sqs_queue.events.arn
    bad   = aws_sqs_queue.bad.arn
    key   = aws_kms_key.sluice.arn
    keys  = aws_secretsmanager_secret.keys.arn
    login = aws_secretsmanager_secret.login.arn
  })
}

# What ECS may before sluice starts: fetch the image, write the log.
resource "aws_iam_role" "start" {
  name               = "sluice-${var.name}-start"
  assume_role_policy = data.aws_iam_policy_document.tasks.json
}

resource "aws_iam_role_policy_attachment" "start" {
  role       = aws_iam_role.start.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}
