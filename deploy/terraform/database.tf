resource "aws_db_subnet_group" "events" {
  name       = var.name
  subnet_ids = var.subnet_ids
}

resource "aws_security_group" "database" {
  name        = "${var.name}-database"
  description = "PostgreSQL, for sluice"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "database" {
  security_group_id            = aws_security_group.database.id
  referenced_security_group_id = aws_security_group.sluice.id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

resource "aws_db_parameter_group" "events" {
  name   = var.name
  family = "postgres17"

  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }
}

# The owner's password is RDS's own; sluice never sees it.
resource "aws_db_instance" "events" {
  identifier                   = var.name
  engine                       = "postgres"
  engine_version               = "17"
  instance_class               = var.database.instance_class
  allocated_storage            = var.database.gigabytes
  storage_type                 = "gp3"
  storage_encrypted            = true
  kms_key_id                   = aws_kms_key.sluice.arn
  db_name                      = var.database.name
  username                     = "events_owner"
  manage_master_user_password  = true
  db_subnet_group_name         = aws_db_subnet_group.events.name
  vpc_security_group_ids       = [aws_security_group.database.id]
  parameter_group_name         = aws_db_parameter_group.events.name
  multi_az                     = true
  backup_retention_period      = 7
  deletion_protection          = true
  performance_insights_enabled = true
  final_snapshot_identifier    = "${var.name}-last"
}
