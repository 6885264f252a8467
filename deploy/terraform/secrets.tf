# Secrets without their values: what is in Terraform's state is no secret.  docs/deploy.md puts them in.
resource "aws_kms_key" "sluice" {
  description             = "sluice ${var.name}: its key file, its login, its database"
  enable_key_rotation     = true
  deletion_window_in_days = 30

  # Without it the originals of all masked values are lost.
  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_kms_alias" "sluice" {
  name          = "alias/sluice-${var.name}"
  target_key_id = aws_kms_key.sluice.key_id
}

# The text of a key file.
resource "aws_secretsmanager_secret" "keys" {
  name                    = "sluice/${var.name}/keys"
  kms_key_id              = aws_kms_key.sluice.arn
  recovery_window_in_days = 30

  lifecycle {
    prevent_destroy = true
  }
}

# {"username": "loader", "password": "..."}
resource "aws_secretsmanager_secret" "login" {
  name       = "sluice/${var.name}/login"
  kms_key_id = aws_kms_key.sluice.arn
}
